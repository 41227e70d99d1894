/**
 * Servers that a program makes with node:http. They are Node's own: of what ours do, only the end can be had for them.
 * Loaded when the first one listens.
 */
import type { Server } from "node:http";
import { handover } from "../net/handover.ts";
import { logLine } from "../runtime/log.ts";
import type { Drained } from "./ending.ts";

/** How often connections are looked at that have become idle since the end began. */
const LOOK_MS = 100;

const listening = new Set<Server>();
let told = false;

/** One listens: says once what does not apply to it, and has signals end it when it has answered what it was asked. */
export function nodeServer(server: Server, drainTimeout: number): void {
  listening.add(server);
  server.once("close", () => listening.delete(server));
  if (told) return;
  told = true;
  logLine(
    "this program listens with node:http: limits, access log, metrics and PROXY headers do not apply to it, only SIGTERM's drainTimeout; Deno.serve and export default have them all",
  );
  const drain = () => drainAll(drainTimeout);
  handover.serving?.({ drain, shutdown: async () => void (await drain()) });
}

async function drainAll(withinMs: number): Promise<Drained> {
  const servers = [...listening];
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  const look = setInterval(() => {
    for (const server of servers) server.closeIdleConnections();
  }, LOOK_MS);
  const late = Promise.withResolvers<true>();
  const limit = Number.isFinite(withinMs) ? setTimeout(() => late.resolve(true), withinMs) : undefined;
  const tooLate = await Promise.race([Promise.all(closed).then(() => false), late.promise]);
  clearInterval(look);
  clearTimeout(limit);
  if (!tooLate) return { cut: 0 };
  const counts = await Promise.all(servers.map(connections));
  for (const server of servers) server.closeAllConnections();
  return { cut: counts.reduce((sum, count) => sum + count, 0) };
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count)));
}

/**
 * `./shop --healthcheck`: asks the server that runs with the same settings how it is, by its admin port. For images that
 * have nothing else in them which could (Docker's HEALTHCHECK, Compose).
 */
import { connect } from "node:net";
import { parseAdminAddress } from "../admin/address.ts";
import { AdminError } from "../admin/errors.ts";
import { type Level, resolve } from "../options/resolve.ts";
import { Failure, UsageError } from "./errors.ts";
import { environmentLevel } from "./settings.ts";

/** Less than what asks us waits. */
const PATIENCE_MS = 2500;
const QUESTION = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Resolves when the server is well; else fails with what is wrong. */
export async function checkHealth(flags: Level): Promise<void> {
  const { admin } = resolve([flags, environmentLevel()]).settings;
  if (admin === undefined) {
    throw new UsageError(
      "--healthcheck asks the admin port: say which, as the server is told, by SLIPWAY_ADMIN or --admin",
    );
  }
  const answer = await ask(admin);
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? [];
  if (status === "200") return;
  throw new Failure(`unhealthy: ${admin} answered ${status ?? "nothing that is HTTP"}`);
}

function ask(admin: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(placeOf(admin), () => socket.write(QUESTION));
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.on("end", () => resolve(answer));
  socket.on("error", ({ message }) => reject(new Failure(`unhealthy: ${admin}: ${message}`)));
  const limit = setTimeout(() => reject(new Failure(`unhealthy: ${admin} does not answer`)), PATIENCE_MS);
  return promise.finally(() => {
    clearTimeout(limit);
    socket.destroy();
  });
}

/** Every interface is reached by the loopback. */
function placeOf(admin: string): { path: string } | { port: number; host: string } {
  try {
    const address = parseAdminAddress(admin);
    if (address.transport === "unix") return { path: address.path };
    const { hostname, port } = address;
    return { port, host: hostname === "::" ? "localhost" : hostname === "0.0.0.0" ? "127.0.0.1" : hostname };
  } catch (error) {
    throw error instanceof AdminError ? new UsageError(error.message) : error;
  }
}

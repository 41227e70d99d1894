/**
 * The client: `fetch` over http:, on our own poller. It comes with the cure for what hurts in production as its default:
 * a time for everything that is waited for, connections that are kept and bounded, and no retry but a safe one.
 */
import type { NetworkCall } from "../fetch/mod.ts";
import { Call, type CallOptions } from "./call.ts";
import { Pool } from "./pool.ts";
import { fetchSettings } from "./settings.ts";
import { targetOf } from "./target.ts";

const PLAIN: CallOptions = { allowHost: false };
const pool = new Pool(fetchSettings);

/** GET, with nothing else to say. */
export function get(url: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Call(pool, PLAIN, targetOf(url), null, resolve, reject).start();
  });
}

/** Any other request. */
export function send(call: NetworkCall): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Call(pool, PLAIN, targetOf(call.url), call, resolve, reject).start();
  });
}

/** Idle connections go now, others when they are done: the process ends. */
export function closeConnections(): void {
  pool.close();
}

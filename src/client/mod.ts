/**
 * The client: `fetch` over http: and https:, on our own poller. It comes with the cure for what hurts in production as its default:
 * a time for everything that is waited for, connections that are kept and bounded, and no retry but a safe one.
 */
import type { NetworkCall } from "../fetch/mod.ts";
import { Call } from "./call.ts";
import { HttpClient, settingsOf, whenClosed } from "./http-client.ts";
import { Pool } from "./pool.ts";
import { fetchSettings } from "./settings.ts";
import { targetOf } from "./target.ts";

const pool = new Pool({ settings: fetchSettings, allowHost: false, way: undefined });
const pools = new WeakMap<HttpClient, Pool>();

/** GET, with nothing else to say. */
export function get(url: string): Promise<Response> {
  return new Promise((resolve, reject) => new Call(pool, targetOf(url), null, resolve, reject).start());
}

/** Any other request. */
export function send(call: NetworkCall): Promise<Response> {
  return new Promise((resolve, reject) => {
    const own = call.client === undefined ? pool : poolOf(call.client);
    new Call(own, targetOf(call.url), call, resolve, reject).start();
  });
}

function poolOf(client: unknown): Pool {
  if (!(client instanceof HttpClient)) throw new TypeError("fetch: client is not what Deno.createHttpClient has made");
  const settings = settingsOf(client);
  let own = pools.get(client);
  if (own === undefined) {
    const made = new Pool(settings);
    pools.set(client, (own = made));
    whenClosed(client, () => made.close());
  }
  return own;
}

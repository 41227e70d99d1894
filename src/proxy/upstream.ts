/**
 * One upstream, and whether it is well. States: **in** → (`maxFails` failures one after the other) → **out** until a
 * moment → **tried** by one request or check → in, or out again.
 */
import type { HttpClientSettings } from "../client/http-client.ts";
import { Pool } from "../client/pool.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { logEvent } from "../runtime/log.ts";
import { proxyCounters } from "./counters.ts";
import type { ProxySettings, UpstreamAddress, UpstreamIdentity } from "./options.ts";

export class Upstream {
  readonly address: UpstreamAddress;
  readonly pool: Pool;
  /** Requests that it is answering. */
  open = 0;
  readonly #settings: ProxySettings;
  #fails = 0;
  /** When it may be tried again; 0: it is in. */
  #outUntil = 0;
  /** One request finds out how it is. */
  #tried = false;
  #closed = false;

  constructor(address: UpstreamAddress, settings: ProxySettings) {
    this.address = address;
    this.#settings = settings;
    const { connectTimeout, headerTimeout, bodyTimeout, idleTimeout, maxIdle } = settings;
    const client = { connectTimeout, headerTimeout, bodyTimeout, idleTimeout, maxIdlePerHost: maxIdle, maxIdle };
    const { path } = address;
    // HTTP/1.1, whatever an upstream would speak: WebSockets need it, and between two servers it costs less.
    const how: HttpClientSettings & { alpn: readonly string[]; identity: UpstreamIdentity } = {
      settings: () => client,
      allowHost: true,
      way: path === undefined ? undefined : { path },
      alpn: ["http/1.1"],
      identity: settings.identity,
    };
    this.pool = new Pool(how);
    proxyCounters.upstreams++;
  }

  get in(): boolean {
    return this.#outUntil === 0;
  }
  /** It is out, but may be back. */
  get due(): boolean {
    return this.#outUntil !== 0 && !this.#tried && monotonicNow() >= this.#outUntil;
  }
  get outUntil(): number {
    return this.#outUntil;
  }

  begin(): void {
    this.open++;
    if (!this.in) this.#tried = true;
  }
  /** The client gave up, which says nothing about it. */
  end(): void {
    this.open--;
    this.#tried = false;
  }

  well(): void {
    this.#fails = 0;
    if (this.in || this.#closed) return;
    this.#outUntil = 0;
    proxyCounters.out--;
    logEvent("info", `proxy: ${this.address.name} is back`);
  }

  failed(why: string): void {
    this.#fails++;
    if (this.in && this.#fails < this.#settings.maxFails) return;
    this.putOut(why);
  }

  putOut(why: string): void {
    if (this.#closed) return;
    const { failTimeout } = this.#settings;
    if (this.in) {
      proxyCounters.out++;
      logEvent("warn", `proxy: ${this.address.name} is out: ${why}`);
    }
    this.#outUntil = Math.max(1, monotonicNow() + failTimeout);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.pool.close();
    proxyCounters.upstreams--;
    if (!this.in) proxyCounters.out--;
  }
}

/** Chooses the next upstream of a list. */
export class Balance {
  readonly #upstreams: readonly Upstream[];
  readonly #leastRequests: boolean;
  #next = 0;

  constructor(upstreams: readonly Upstream[], leastRequests: boolean) {
    this.#upstreams = upstreams;
    this.#leastRequests = leastRequests;
  }

  /**
   * None that is in `tried`. One that is due goes before the others, for one request. Where all are out the one whose time is up
   * first is tried all the same: it may be back, and an error is certain otherwise.
   */
  choose(tried: readonly Upstream[]): Upstream | undefined {
    const all = this.#upstreams;
    if (all.length === 1) return tried.length === 0 ? all[0] : undefined;
    let best: Upstream | undefined;
    let last: Upstream | undefined;
    const from = this.#next;
    for (let i = 0; i < all.length; i++) {
      const one = all[(from + i) % all.length];
      if (tried.includes(one)) continue;
      if (one.due) {
        best = one;
        break;
      }
      if (!one.in) {
        if (last === undefined || one.outUntil < last.outUntil) last = one;
        continue;
      }
      if (best === undefined || (this.#leastRequests && one.open < best.open)) best = one;
      if (!this.#leastRequests) break;
    }
    const chosen = best ?? last;
    if (chosen !== undefined) this.#next = (all.indexOf(chosen) + 1) % all.length;
    return chosen;
  }
}

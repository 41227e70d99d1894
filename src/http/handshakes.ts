/**
 * The handshakes of servers that speak TLS: how they end, how long they take. Labels are what OpenSSL calls things, which
 * are not many, and of those a bounded number: no client makes the table grow.
 */
import { openSsl, type Pointer } from "../../ffi/openssl.ts";
import type { Handle } from "../../ffi/poller.ts";
import { Histogram, SECONDS } from "./counters.ts";

/** How they end that are not done: by an alert of either side, by time, for lack of TLS. Else the connection was closed. */
export type HandshakeEnd = "failed" | "timeout" | "plain";

const MOST_REASONS = 32;

export class HandshakeCounters {
  begun = 0;
  /** By "version cipher resumed". */
  readonly done = new Map<string, number>();
  readonly ended: Record<HandshakeEnd, number> = { failed: 0, timeout: 0, plain: 0 };
  /** Why they failed, in OpenSSL's words. */
  readonly reasons = new Map<string, number>();
  readonly duration = new Histogram(SECONDS);

  failed(reason: string): void {
    this.ended.failed++;
    const known = this.reasons.has(reason) || this.reasons.size < MOST_REASONS ? reason : "other";
    this.reasons.set(known, (this.reasons.get(known) ?? 0) + 1);
  }

  succeeded(ssl: Pointer, ms: number): void {
    const openssl = openSsl();
    const key = `${openssl.version(ssl)} ${openssl.cipher(ssl)} ${openssl.resumed(ssl)}`;
    this.done.set(key, (this.done.get(key) ?? 0) + 1);
    this.duration.observe(ms / 1000);
  }
}

/** Those of every server of this thread. */
export const handshakeCounters = new HandshakeCounters();

/** How long each connection's took, in milliseconds, by handle. */
export class HandshakeTimes {
  #ms = new Uint32Array(256);

  set(handle: Handle, ms: number): void {
    if (handle >= this.#ms.length) {
      const grown = new Uint32Array(Math.max(handle + 1, this.#ms.length * 2));
      grown.set(this.#ms);
      this.#ms = grown;
    }
    this.#ms[handle] = ms;
  }

  get(handle: Handle): number {
    return this.#ms[handle] ?? 0;
  }
}

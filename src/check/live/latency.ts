/**
 * What other clients notice. Samples without and with the attack are taken in turns, in one run, so that a busy machine
 * weighs on both; and they are compared by quantiles with generous bounds, since the attacker shares the machine.
 */

import { readAnswers } from "./answers.ts";
import { type Context, fail, type Outcome, pass, pause, warn } from "./attack.ts";
import type { Wire } from "./wire.ts";

/** Between two samples, so that they are spread over what happens meanwhile. */
const GAP_MS = 4;

/** An ordinary client: one keep-alive connection, one request after another. */
export class Client {
  readonly #context: Context;
  #wire: Wire | undefined;
  lost = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Milliseconds to the whole answer of one request; undefined when there was none within `ms`. */
  async request(ms = 10_000): Promise<number | undefined> {
    const { path, host, wires } = this.#context;
    const began = performance.now();
    // A server may close after an answer at any time (RFC 9112, 9.5), so a dead connection is no loss: ask once more.
    for (let attempt = 0; attempt < 2; attempt++) {
      const fresh = this.#wire === undefined || this.#wire.over;
      const wire = fresh ? (await wires.open()).read() : (this.#wire as Wire);
      this.#wire = wire;
      const before = wire.received;
      await wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const done = await wire.until(() => wire.received > before && this.#whole(wire, before), ms);
      if (done) {
        this.#retire(wire);
        return performance.now() - began;
      }
      this.close();
      if (!fresh && wire.received === before) continue;
      break;
    }
    this.lost++;
    return undefined;
  }

  #whole(wire: Wire, before: number): boolean {
    const { final } = readAnswers(wire.bytes.subarray(before), [], wire.end === "closed");
    return final.length > 0 && final[0].whole;
  }

  /** A connection keeps what came: a new one is cheaper than reading on beyond that. */
  #retire(wire: Wire): void {
    const { final } = readAnswers(wire.bytes.subarray(0, 4096));
    const closes = final[0]?.fields.some(([name, value]) => name === "connection" && /close/i.test(value));
    if (closes || wire.received > 150_000) this.close();
  }

  /** `count` samples, or as many as fit into `ms`. */
  async samples(count: number, ms: number): Promise<number[]> {
    const taken: number[] = [];
    const until = performance.now() + ms;
    while (taken.length < count && performance.now() < until && !this.#context.signal.aborted) {
      const took = await this.request();
      if (took === undefined) break;
      taken.push(took);
      await pause(GAP_MS, this.#context.signal);
    }
    return taken;
  }

  close(): void {
    this.#wire?.close();
    this.#wire = undefined;
  }
}

export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.POSITIVE_INFINITY;
}

/** What a scheduler on a shared machine may add to any one request. */
const JITTER_MS = 20;

export function compare(quiet: readonly number[], loaded: readonly number[], lost: number): Outcome {
  const before = quantile(quiet, 0.99);
  const after = quantile(loaded, 0.99);
  const came = `p99 of other clients ${showMs(before)} without, ${showMs(after)} with`;
  if (lost > 0) return fail(`${came}; ${lost} got no answer`);
  if (loaded.length === 0) return fail("other clients got no answer");
  if (after <= before * 2 + JITTER_MS) return pass(came);
  const median = quantile(loaded, 0.5);
  const hurt = median > quantile(quiet, 0.5) * 5 + 2 * JITTER_MS || after > before * 10 + 10 * JITTER_MS;
  return hurt ? fail(`${came}, median ${showMs(median)}`) : warn(came);
}

export function showMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

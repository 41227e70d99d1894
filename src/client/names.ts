/**
 * Addresses of names, remembered for a moment: a busy program asks for the same few names, and the system's resolver
 * keeps nothing and is a thread of Node's pool each time. getaddrinfo(3) does not tell how long an answer holds, so it
 * is believed for seconds only; one that nobody could connect to is forgotten at once.
 */
import type { Ip } from "../net/ip.ts";
import { resolve } from "../net/names.ts";
import { monotonicNow } from "../runtime/clock.ts";

const HOLDS_MS = 10_000;
const KEPT = 256;

interface Answer {
  readonly ips: Promise<readonly Ip[]>;
  readonly until: number;
}

export class Names {
  readonly #answers = new Map<string, Answer>();
  readonly #ask: (name: string) => Promise<readonly Ip[]>;

  constructor(ask: (name: string) => Promise<readonly Ip[]> = resolve) {
    this.#ask = ask;
  }

  /** Who asks at the same time waits for the same answer. */
  readonly look = (name: string): Promise<readonly Ip[]> => {
    const now = monotonicNow();
    const found = this.#answers.get(name);
    if (found !== undefined && found.until > now) return found.ips;
    const ips = this.#ask(name);
    const answer = { ips, until: now + HOLDS_MS };
    this.#answers.delete(name);
    if (this.#answers.size >= KEPT) {
      const [oldest] = this.#answers.keys();
      this.#answers.delete(oldest);
    }
    this.#answers.set(name, answer);
    ips.catch(() => {
      if (this.#answers.get(name) === answer) this.#answers.delete(name);
    });
    return ips;
  };

  forget(name: string): void {
    this.#answers.delete(name);
  }
}

/**
 * How many connections a server takes: at the limit it stops accepting, says so once, and goes on as connections close.
 * Those that wait do so in the kernel's queue, where they cost nothing.
 */
import { monotonicNow } from "../runtime/clock.ts";
import { logLine } from "../runtime/log.ts";
import type { Runtime } from "../runtime/turn.ts";
import { showAddress } from "./address.ts";
import type { Listener } from "./listener.ts";

/** One line about the limit in this time, however often it is met. */
const COMPLAIN_EVERY_MS = 10_000;
/**
 * Descriptors left to everything else: files, outgoing connections, the admin port, the log's first line (which loads
 * its library). The process itself has 25 to 35.
 */
const RESERVE_LEAST = 64;
const RESERVE_MOST = 1024;

/** What is limited. */
export type Limited = Pick<Listener, "addr" | "pauseConnections" | "resumeConnections" | "feed">;

/** Where sockets are counted: a thread's runtime, or what stands for those of all threads. */
export interface SocketCount {
  readonly poller: Pick<Runtime["poller"], "openCount" | "system">;
  readonly closing: Pick<Runtime["closing"], "add" | "delete">;
}

export class Admission {
  readonly #runtime: SocketCount;
  readonly #listener: Limited;
  /** Infinity for no limit, 0 for what the descriptor limit leaves. */
  readonly #max: number;
  readonly #full: () => void;
  #open = 0;
  #waiting = false;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** `full` is told each time accepting stops. */
  constructor(rt: SocketCount, listener: Limited, max: number, full: () => void = () => {}) {
    this.#runtime = rt;
    this.#listener = listener;
    listener.feed?.limit(max);
    this.#max = listener.feed === undefined ? max : Number.POSITIVE_INFINITY;
    this.#full = full;
  }

  /** Accepting waits for connections to close. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** A connection was accepted. */
  opened(): void {
    this.#open++;
    if (!this.#waiting && this.#isFull()) this.#wait();
  }

  /** A connection was let go of; its descriptor may still be open for a moment (`linger.ts`). */
  closed(): void {
    this.#open--;
    if (this.#waiting) this.#look();
    else this.#listener.feed?.ended();
  }

  /** The listener is closed: nothing is waited for any more. */
  end(): void {
    this.#waiting = false;
    this.#runtime.closing.delete(this.#look);
  }

  /** A number that was set can be more than the descriptors allow; only "none" is no limit at all. */
  #isFull(): boolean {
    if (this.#max !== 0 && this.#open >= this.#max) return true;
    if (this.#max === Number.POSITIVE_INFINITY) return false;
    return this.#runtime.poller.openCount >= descriptorBudget(this.#runtime);
  }

  #wait(): void {
    this.#waiting = true;
    this.#listener.pauseConnections();
    // Of descriptors anybody's close helps.
    this.#runtime.closing.add(this.#look);
    this.#full();
    const now = monotonicNow();
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    const { openCount } = this.#runtime.poller;
    const what =
      this.#max === 0 || this.#open < this.#max
        ? `${openCount} sockets are open, all that the limit of ${this.#runtime.poller.system.descriptorLimit()} descriptors leaves: raise it with "ulimit -n" (systemd: LimitNOFILE=)`
        : `${this.#open} connections are open, as many as maxConnections allows: raise it if the machine can take more`;
    logLine(`accept on ${showAddress(this.#listener.addr)} waits: ${what}; accepting goes on as connections close`);
  }

  readonly #look = (): void => {
    if (!this.#waiting || this.#isFull()) return;
    this.#waiting = false;
    this.#runtime.closing.delete(this.#look);
    this.#listener.resumeConnections();
  };
}

const budgets = new WeakMap<SocketCount, number>();

/** How many sockets may be open: the descriptor limit, less a reserve for what else a program opens. */
export function descriptorBudget(rt: SocketCount): number {
  let budget = budgets.get(rt);
  if (budget === undefined) {
    const limit = rt.poller.system.descriptorLimit();
    const least = Math.min(RESERVE_LEAST, Math.floor(limit / 2));
    const reserve = Math.min(RESERVE_MOST, Math.max(least, Math.ceil(limit / 8)));
    budget = limit < 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit - reserve);
    budgets.set(rt, budget);
  }
  return budget;
}

/**
 * Where the thread waits. Parked in the host's loop, which watches the poller, each wake-up costs two or three system
 * calls of that loop before the turn looks at the poller at all. So once most wake-ups are the network's, the thread waits
 * with the poller's own call instead, which wakes up with what has come, and the poller watches the host's loop
 * (`ffi/host-loop.ts`): whatever that has (files, timers, signals, messages of other threads) ends the wait, and it gets
 * its turn. A request on one connection takes 0.7 of the CPU so.
 */
import { type HostLoop, hostLoop } from "../../ffi/host-loop.ts";
import type { Poller } from "../../ffi/poller.ts";
import type { Watch } from "../../ffi/watch.ts";
import { monotonicNow } from "./clock.ts";
import { correctUtilization } from "./loop-utilization.ts";

/** Turns before it is tried, at first and at last: each try that the host ends doubles them. */
const FIRST_AFTER = 64;
const LAST_AFTER = 65_536;
/** How many more wake-ups may be the host's than the network's. */
const PATIENCE = 64;
/** Further away than an hour is for ever: no timer of the kernel's is set for each wait. */
const FAR_MS = 3_600_000;
const MAX_TIMER_MS = 2_147_483_647;

const tickCallback = (process as { readonly _tickCallback?: () => void })._tickCallback;
/** Lets ticks and promises go on, as the host does between two callbacks. */
export const runTicks: () => void = tickCallback ?? (() => {});

/** What this thread has waited here. */
let waitedMs = 0;
let corrected = false;

export class PollerWait {
  /** The thread waits here, and the host's loop does not watch the poller. */
  active = false;
  /** The host's loop has something to do: so it was when the last wait ended. */
  hostIsDue = false;
  /** Turns that had something, since the last try, and how many there are to be before the next. */
  turns = 0;
  after: number;
  readonly #poller: Poller;
  readonly #watch: Watch;
  #host: HostLoop | undefined;
  #balance = 0;
  /** The moment that the host's loop believes it is. */
  #told = 0;
  /** A loop that nothing holds says that it need not wait at all. */
  #keeper: ReturnType<typeof setTimeout> | undefined;

  constructor(poller: Poller, watch: Watch, after = FIRST_AFTER) {
    this.after = after;
    this.#poller = poller;
    this.#watch = watch;
  }

  /** To be called from the host's loop, and from no code of anybody's: the turns go on in the context of this call. */
  begin(): void {
    if (this.#host === undefined) {
      this.#host = tickCallback === undefined ? undefined : hostLoop();
      if (this.#host === undefined) {
        this.after = Number.POSITIVE_INFINITY;
        return;
      }
      // Once a thread, whose runtime may be another later.
      if (!corrected) correctUtilization(() => waitedMs);
      corrected = true;
    }
    this.turns = 0;
    this.#watch.stop();
    if (this.#poller.attend(this.#host.descriptor) < 0) return this.#watch.start();
    this.active = true;
    this.#balance = PATIENCE;
    this.#keeper = setTimeout(() => {}, MAX_TIMER_MS);
  }

  /** Waits, or with `atOnce` only looks. True when the poller has something. */
  wait(atOnce: boolean): boolean {
    const host = this.#host as HostLoop;
    const timeout = host.timeout();
    if (atOnce || timeout === 0) {
      const ready = this.#poller.wait(0);
      this.hostIsDue = timeout === 0 || this.#poller.attendedReady;
      return ready;
    }
    const before = monotonicNow();
    const ready = this.#poller.wait(timeout > FAR_MS ? -1 : timeout);
    const now = monotonicNow();
    waitedMs += now - before;
    if (now - this.#told >= 1) {
      this.#told = now;
      host.updateTime();
    }
    this.hostIsDue = !ready || this.#poller.attendedReady;
    if (!this.hostIsDue) {
      if (this.#balance < PATIENCE) this.#balance++;
    } else if (--this.#balance < 0) {
      this.after = Math.min(this.after * 2, LAST_AFTER);
      this.turns = 0;
      this.end();
    }
    return ready;
  }

  /** The host's loop watches the poller again. */
  end(): void {
    if (!this.active) return;
    this.active = false;
    clearTimeout(this.#keeper);
    this.#poller.attend(-1);
    this.#watch.start();
  }
}

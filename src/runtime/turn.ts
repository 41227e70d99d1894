/**
 * The turn: when we look at the poller, and when we park.
 *
 * Parked, the host's loop watches the poller's descriptor (`ffi/watch.ts`) and the process costs nothing. When it
 * becomes readable one immediate is queued; that immediate is the turn: look at the poller once, let the sinks work,
 * see to deadlines. Then the loop goes on to its own timers, files and promises, so a busy network never starves
 * them, and comes back at once if there is more (the watch is level-triggered). Under traffic it is the other way round:
 * the turn waits with the poller, and leaves when the host's loop has something (`poller-wait.ts`).
 */
import { type Handle, openPoller, type Poller, type Sink } from "../../ffi/poller.ts";
import type { Watch } from "../../ffi/watch.ts";
import { monotonicNow } from "./clock.ts";
import { Deadlines } from "./deadlines.ts";
import { logError } from "./log.ts";
import { PollerWait, runTicks } from "./poller-wait.ts";
import { type Context, contextHere, leaveRequests } from "./request-context.ts";
import { turnBegan, turnEnded, turnStats } from "./stall-clock.ts";
import { TurnShares } from "./turn-shares.ts";

/** A timer that is later than this was held up, and so was everything else. */
const LATE_MS = 20;
/** How long to wait before handles that lack descriptors or memory are tried again, unless something closes before. */
const RETRY_MS = 100;

export class Runtime {
  readonly poller: Poller;
  readonly deadlines: Deadlines;
  /** Turns of this thread, and events that they got, since it began. */
  readonly stats: { readonly turns: number; readonly events: number } = turnStats;
  /** Asked after each close, as long as they stand here: who waits for a connection to end, or for its descriptor. */
  readonly closing = new Set<() => void>();
  /** Closed connections whose last bytes are still on their way, and who is told when there are none. */
  leaving = 0;
  readonly left = new Set<() => void>();
  /** What connections have sent beyond their share of a turn. */
  readonly shares: TurnShares;
  readonly #watch: Watch;
  readonly #pollerWait: PollerWait;
  #now: number;
  #turning = false;
  /** A turn is on its way; and the immediate of it is queued. */
  #scheduled = false;
  #queued = false;
  /** The last one: like the watch, it keeps the process alive only while somebody does. */
  #immediate: NodeJS.Immediate | undefined;
  /** A turn belongs to no request, though a request's code may queue it. */
  #outside: Context | undefined;
  /** Who waits with it looks for no other reason than that the poller has something, but for this one. */
  #due = false;
  #disposed = false;
  #holds = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** `waitAfter`: turns with something before it waits with the poller (`poller-wait.ts`), for tests. */
  constructor(poller: Poller = openPoller().poller, waitAfter?: number) {
    this.poller = poller;
    this.#now = monotonicNow();
    this.deadlines = new Deadlines(this.#now, (handle) => this.#expired(handle));
    this.shares = new TurnShares(
      () => this.schedule(),
      () => this.#now,
    );
    poller.onPending = () => {
      // A wait begins with what is pending; what lacks memory or descriptors is for a turn to see.
      if (!this.#pollerWait.active || poller.stalled > 0) this.schedule();
    };
    poller.onLeaving = (change) => {
      this.leaving += change;
      if (change > 0) return this.hold();
      this.release();
      if (this.closing.size > 0) for (const closed of this.closing) closed();
      if (this.leaving === 0) for (const left of this.left) left();
    };
    poller.onSinkError = (handle, error) => {
      logError("a connection was closed after an internal error", error);
      const sink = poller.sink(handle);
      try {
        sink?.failed(handle, poller.constants.errno.ECANCELED);
      } catch (again) {
        logError("and its owner failed to let go of it", again);
      }
      if (poller.sink(handle) === sink) this.close(handle);
    };
    this.#watch = poller.watch(this.#woken);
    this.#pollerWait = new PollerWait(poller, this.#watch, waitAfter);
  }

  /**
   * The clock for deadlines: within a turn, as it was at its begin, which is exact enough and free. Outside of one that
   * moment may be minutes ago (a handler that waited while nothing else happened), so the clock is read.
   */
  get now(): number {
    return this.#turning ? this.#now : monotonicNow();
  }

  /** The thread waits with the poller's call, not with the host's loop (`poller-wait.ts`). */
  get waitsOnPoller(): boolean {
    return this.#pollerWait.active;
  }

  /**
   * Takes over a descriptor. Returns its handle, or a negated errno; then the descriptor is closed. `spoke`: its peer's
   * first bytes are likely to be there.
   */
  open(fd: number, sink: Sink, spoke = false): Handle {
    const handle = this.poller.open(fd, sink, spoke);
    if (handle < 0) this.poller.system.close(fd);
    else this.hold();
    return handle;
  }

  /** Closes a handle from `open` and forgets its deadline. */
  close(handle: Handle): void {
    if (this.poller.sink(handle) === undefined) return;
    this.deadlines.set(handle, 0);
    this.poller.close(handle, this.closing.size > 0);
    this.release();
    if (this.closing.size > 0) for (const closed of this.closing) closed();
  }

  /** Sets when `expired` is told to the handle's sink, in clock milliseconds; 0 for never. */
  setDeadline(handle: Handle, at: number): void {
    if (this.deadlines.set(handle, at) && this.deadlines.nearest < this.#timerAt) this.#arm();
  }

  /** One more, or one less, reason for the process to stay alive. */
  hold(): void {
    if (this.#holds++ !== 0) return;
    this.#watch.ref();
    if (!this.#pollerWait.active) this.#immediate?.ref();
    if (this.#scheduled) this.#queueTurn();
  }
  release(): void {
    if (--this.#holds > 0) return;
    this.#watch.unref();
    // Between two reads nothing may hold: a turn that waits with the poller sees to it when promises have gone on.
    if (!this.#pollerWait.active) this.#immediate?.unref();
  }

  /** Frees what the runtime itself holds: for tests and threads that end. Every handle must have been closed. */
  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#pollerWait.end();
    this.#watch.close();
    this.poller.dispose();
  }

  /** Queues a turn, unless one is queued. */
  readonly schedule = (): void => {
    this.#due = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    // A poller that looks again and again must not keep alive what nobody holds: then the watch has to ask for it.
    if (this.#holds === 0) this.poller.wake();
    else this.#queueTurn();
  };

  #queueTurn(): void {
    this.#scheduled = true;
    if (this.#queued) return;
    this.#queued = true;
    const outside = this.#outside;
    this.#immediate = outside === undefined ? setImmediate(this.#turn) : outside(setImmediate, this.#turn);
    if (this.#holds === 0) this.#immediate.unref();
  }

  /** From the host's loop, and so from no code of anybody's. */
  readonly #woken = (): void => {
    const { turns, after } = this.#pollerWait;
    // Not before the first answer: what it takes of Node is not loaded yet.
    if (turns > 0) this.#outside ??= contextHere();
    if (this.#holds > 0 && !this.#queued && turns >= after) this.#pollerWait.begin();
    this.#queueTurn();
  };

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#queued = false;
    const pollerWait = this.#pollerWait;
    if (!pollerWait.active) return this.#look();
    // The loop says that it need not be left alone as long as an immediate is to run, or runs now: the next one stands for
    // this, and counts for nothing until it does. Before all else, so that what a task throws does not end the turns.
    this.#queueTurn();
    this.#immediate?.unref();
    try {
      do {
        if (this.#holds === 0) pollerWait.end();
        if (!pollerWait.active) break;
        if (!pollerWait.wait(this.#due) && !this.#due) continue;
        this.#look();
        runTicks();
      } while (!pollerWait.hostIsDue);
    } finally {
      // Nobody watches the poller now but the turn that is queued: it must come.
      if (this.#holds === 0) pollerWait.end();
      if (this.#holds > 0) this.#immediate?.ref();
      else if (this.#due || this.poller.pending) this.poller.wake();
    }
  };

  #look(): void {
    if (this.#disposed) return;
    this.#due = false;
    this.#now = monotonicNow();
    this.#turning = true;
    turnBegan(this.#now);
    leaveRequests();
    let events = 0;
    try {
      events = this.poller.poll(0);
      const { nearest } = this.deadlines;
      if (nearest <= this.#now || nearest < this.#timerAt) this.#advance();
      if (this.shares.size > 0) this.shares.run();
    } finally {
      this.#turning = false;
      turnEnded(events);
    }
    if (events > 0) this.#pollerWait.turns++;
    if (this.poller.pending && !this.#pollerWait.active) this.schedule();
    if (this.poller.stalled > 0 && this.#retry === undefined) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.poller.retry();
      }, RETRY_MS);
      this.#retry.unref?.();
    }
  }

  #arm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timerAt = this.deadlines.nearest;
    this.#timer = undefined;
    if (this.#timerAt === Number.POSITIVE_INFINITY) return;
    const due = this.#timerAt;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#now = monotonicNow();
        // What has come in time counts, however late we are: a turn looks for it before it sees to deadlines.
        if (this.#now - due > LATE_MS) this.schedule();
        else this.#advance();
      },
      Math.max(1, Math.ceil(this.#timerAt - monotonicNow())),
    );
    // Deadlines belong to handles, which hold the process themselves.
    this.#timer.unref?.();
  }

  #advance(): void {
    this.deadlines.advance(this.#now);
    // More than go into one turn have passed: the others come first, then we go on.
    if (this.deadlines.nearest <= this.#now) this.schedule();
    else if (this.deadlines.nearest < this.#timerAt) this.#arm();
  }

  #expired(handle: Handle): void {
    try {
      this.poller.sink(handle)?.expired(handle);
    } catch (error) {
      this.poller.onSinkError(handle, error);
    }
  }
}

let current: Runtime | undefined;

/** How a thread that others may end makes its runtime (src/cli/web-worker). */
export const making: { runtime?: () => Runtime } = {};

/** The runtime of this thread, with the best poller that works here; opened when first asked for. */
export function runtime(): Runtime {
  return (current ??= making.runtime?.() ?? new Runtime());
}

/** Whether anything in this thread has used the network, be it closed again by now. */
export function runtimeStarted(): boolean {
  return current !== undefined;
}

/** Puts another runtime in place, for tests (injected faults, another poller); returns a function that undoes it. */
export function replaceRuntime(other: Runtime): () => void {
  const before = current;
  current = other;
  return () => {
    current = before;
  };
}

/**
 * What the turn and every call of a handler note down, so that somebody beside the main thread can see whether it gets
 * on: plain stores into shared memory, no system call, no clock read that was not made anyway. The stall monitor
 * (stall-monitor.ts) and its worker read it; without them these are a few stores that nobody looks at.
 */

/** Slots of `clock`. */
export const IN_TURN = 0;
/** 1: nobody watches, and the worker waits here for 0. */
export const PARKED = 1;
/** Calls of handlers and tasks, to tell one long one from many short ones. Wraps around. */
export const CALLS = 2;
/** Set by the worker while a stall lasts: by ONE call or by MANY. Cleared by the main thread, which knows the names. */
export const HELD = 3;
/** Stalls that the main thread has reported: the worker sees that the next one is another. */
export const REPORTED = 4;
/** What the worker sleeps on between two looks; nobody changes it. */
export const SLEEP = 5;
export const ONE = 1;
export const MANY = 2;

/** Slots of `times`, milliseconds of `performance.now()` on the main thread. */
export const TURN_AT = 0;
export const BEAT_AT = 1;

export const memory = new SharedArrayBuffer(64);
export const clock = new Int32Array(memory, 0, 8);
export const times = new Float64Array(memory, 32, 4);

/** Turns, and events that they got from the kernel, since the process began. For metrics. */
export const turnStats: { turns: number; events: number } = { turns: 0, events: 0 };

/** How the log names this thread; only the main thread has a worker of the monitor's beside it. */
export let threadName: string | undefined;
export function nameThread(name: string): void {
  threadName = name;
}

/** What was called: a request, a task, or a name. Shown only when it stalls. */
export type Holder = { readonly name: string } | { readonly method: string; readonly head: string } | string;

/** The call that runs now; what the monitor asks for when it has a name to find. */
export let holder: Holder | undefined;

/** Who is told when a stall is over, and who made it; and that a turn began while nobody watched. */
export interface StallListener {
  /** `begun`: the holder had begun when the stall was noticed, so it was in it. */
  over(holder: Holder | undefined, how: "call" | "turn" | "await" | "between"): void;
  unpark(now: number): void;
}

/** The last call, kept for a monitor that has no worker to ask; undefined when there is no monitor. */
let listener: StallListener | undefined;
export let lastHolder: Holder | undefined;

/** @internal For the monitor. */
export function listenToStalls(to: StallListener | undefined): void {
  listener = to;
  lastHolder = undefined;
}

/** @internal The monitor lets go of a call that ended long ago. */
export function forgetLastHolder(): void {
  lastHolder = undefined;
}

/** What samples the number of tasks does so when a turn, or a task, begins at or after `at`: no timer of its own. */
export const sampling: { at: number; sample: (now: number) => void } = { at: Number.POSITIVE_INFINITY, sample() {} };

/** A turn begins; `now` is the moment that it has read. */
export function turnBegan(now: number): void {
  turnStats.turns++;
  if (clock[HELD] !== 0) listener?.over(undefined, "between");
  times[TURN_AT] = now;
  clock[IN_TURN] = 1;
  if (clock[PARKED] !== 0) listener?.unpark(now);
  if (now >= sampling.at) sampling.sample(now);
}

/** A turn ends, which had `events` from the poller. */
export function turnEnded(events: number): void {
  turnStats.events += events;
  clock[IN_TURN] = 0;
  if (clock[HELD] !== 0) listener?.over(undefined, "turn");
}

/** A call of foreign code begins. Returns what to give to `callEnded`. */
export function callBegan(by: Holder | undefined): Holder | undefined {
  // Whoever held the thread before did so without this call.
  if (clock[HELD] !== 0) listener?.over(undefined, "between");
  clock[CALLS]++;
  const before = holder;
  holder = by;
  if (listener !== undefined) lastHolder = by;
  return before;
}

/** The call returned or threw. */
export function callEnded(by: Holder | undefined, before: Holder | undefined): void {
  holder = before;
  if (clock[HELD] !== 0) listener?.over(by, "call");
}

/**
 * What goes on after an await has ended: a handler's promise has settled, a task is over. If the thread was held just
 * before, this is the likeliest to have held it.
 */
export function workSettled(by: Holder): void {
  if (clock[HELD] !== 0) listener?.over(by, "await");
}

/** True while a stall waits for a name: who has none at hand makes it now. */
export function isHeld(): boolean {
  return clock[HELD] !== 0;
}

/**
 * How logs and tables name a holder: a request by its method and path, without the query, user names or anything else
 * that may be a secret, and without what a terminal would obey.
 */
export function showHolder(by: Holder): string {
  if (typeof by === "string") return plainText(by);
  if ("head" in by) return `${plainText(by.method)} ${pathOf(by.head)}`;
  return `task "${plainText(by.name)}"`;
}

/** Text from elsewhere for one line: printable ASCII stays, the rest becomes `?`; never long. */
export function plainText(text: string): string {
  const shown = text.replace(/[^ -~]/g, "?");
  return shown.length > 120 ? `${shown.slice(0, 119)}…` : shown;
}

/** The path of a request line's target, in whatever form (RFC 9112, 3.2) it came. */
function pathOf(head: string): string {
  const from = head.indexOf(" ") + 1;
  const target = head.slice(from, head.indexOf(" ", from));
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
  return plainText(path === "" ? "/" : path);
}

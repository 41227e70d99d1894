/**
 * The worker's program, as text: an executable has no file to start a Worker from. Plain JavaScript, run by
 * `new Worker(STALL_WORKER, { eval: true })`; the numbers are stall-clock.ts' slots.
 *
 * It sleeps in futex(2) until the main thread gets busy, then looks whether it gets on, as often as a stall would
 * need to become one. All that it says, it says through the shared memory. Only with a reason (stalls are traced,
 * or five seconds have passed) does it interrupt the main thread, by an inspector session of this process's own: what
 * it evaluates there (`ASK`) runs between two instructions of what holds the thread, sees that code's stack and its
 * AsyncLocalStorage, runs no microtask, and needs no debugger; 1 ms the first time, measured.
 */
import { ASK } from "./stall-ask.ts";
import { BEAT_AT, CALLS, HELD, IN_TURN, MANY, ONE, PARKED, REPORTED, SLEEP, TURN_AT } from "./stall-clock.ts";

/** What the worker is given. */
export interface StallWorkerData {
  readonly memory: SharedArrayBuffer;
  /** `performance.now()` of the main thread minus the system's monotonic clock, which both threads can read. */
  readonly base: number;
  readonly warningMs: number;
  readonly hungMs: number;
  readonly beatMs: number;
  readonly trace: boolean;
  /** The log's lines are JSON. */
  readonly json: boolean;
}

export const STALL_WORKER = `"use strict";
const { memory, base, warningMs, hungMs, beatMs, trace, json } =
  process.getBuiltinModule("node:worker_threads").workerData;
const clock = new Int32Array(memory, 0, 8);
const times = new Float64Array(memory, 32, 4);
// A wake-up costs up to 0.1 ms of CPU: no more of them than are needed to notice a stall when it becomes one.
const LOOK_MS = Math.min(Math.max(warningMs, 50), 1000), LEAST_MS = 2, SAME_MS = 25;

let mark = 0;          // the last sign of life when the present stall was noticed; 0: none
let reported = 0;      // as the main thread's counter was then
let calls = 0;         // as they were at ...
let callsAt = 0;       // ... this moment: still the same means that one of them goes on
let asked = false, answer, hung = false, session;

const [seconds, nanoseconds] = process.hrtime();
const shift = seconds * 1000 + nanoseconds / 1e6 + base - performance.now();

// Looks once; returns when to look again.
function look() {
  if (Atomics.load(clock, ${PARKED}) === 1) {
    mark = 0;
    if (session === undefined) Atomics.wait(clock, ${PARKED}, 1);
    return LOOK_MS;
  }
  const inTurn = clock[${IN_TURN}] === 1;
  const turnAt = times[${TURN_AT}], beatAt = times[${BEAT_AT}];
  const alive = Math.max(turnAt, beatAt);
  // Outside of a turn silence is normal until the next beat is due.
  const since = inTurn ? turnAt : Math.max(turnAt, beatAt + beatMs);
  const now = performance.now() + shift;
  const blocked = now - since;
  let same = false;
  if (clock[${CALLS}] !== calls) {
    calls = clock[${CALLS}];
    callsAt = now;
  } else same = now - callsAt >= SAME_MS;
  if (alive !== mark || clock[${REPORTED}] !== reported) {
    asked = hung = false;
    answer = undefined;
    mark = 0;
  }
  if (blocked < warningMs) return Math.min(LOOK_MS, Math.max(LEAST_MS, warningMs - blocked));
  if (mark === 0) {
    mark = alive;
    reported = clock[${REPORTED}];
  }
  if (same) Atomics.store(clock, ${HELD}, ${ONE});
  else Atomics.compareExchange(clock, ${HELD}, 0, ${MANY});
  if (same && !asked && (trace || blocked > hungMs)) ask();
  if (!same) return SAME_MS;
  // An answer takes milliseconds, unless a system call holds the thread.
  if (blocked > hungMs && !hung && (answer !== undefined || blocked > hungMs + 1000)) {
    hung = true;
    say(Math.round(blocked), "the main thread has been blocked for " + Math.round(blocked / 1000) + " s" + (answer || ""));
  }
  return LOOK_MS;
}

function ask() {
  asked = true;
  if (session !== undefined) return;
  try {
    const { Session } = process.getBuiltinModule("node:inspector");
    session = new Session();
    session.connectToMainThread();
    session.post("Runtime.evaluate", { expression: ${JSON.stringify(ASK)}, returnByValue: true }, (error, result) => {
      if (!error && typeof result.result.value === "string") answer = result.result.value;
      session.disconnect();
      session = undefined;
    });
  } catch {
    session = undefined;
    answer = "";
  }
}

// The main thread can't: it is what we speak of.
function say(ms, message) {
  try {
    process.getBuiltinModule("node:fs").writeSync(2, (json ? entry(ms, message) : "slipway: " + message) + "\\n");
  } catch {}
}

function entry(ms, message) {
  const line = JSON.stringify({ level: "warn", time: new Date().toISOString(), pid: process.pid, ms, message });
  return line.replace(/[^ -~]/g, (unit) => "\\\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
}

function run() {
  for (;;) {
    const ms = look();
    // Answers come through this thread's loop.
    if (session !== undefined) return void setTimeout(run, ms);
    const slept = performance.now();
    Atomics.wait(clock, ${SLEEP}, 0, ms);
    // The whole process was stopped, or the machine asleep: the main thread gets its chance to beat first.
    if (performance.now() - slept > ms + 500) Atomics.wait(clock, ${SLEEP}, 0, 100);
  }
}
run();
`;

/** Signals in Deno's shape: a listener takes the signal's default action away, as in Node. */
import { NotFound, PermissionDenied } from "../runtime/errors.ts";

type Listener = () => void;

/** signal(7): two can be neither caught nor ignored, and after a fault there is nothing to go on with. */
const uncatchable: ReadonlySet<string> = new Set(["SIGKILL", "SIGSTOP", "SIGILL", "SIGFPE", "SIGSEGV"]);

/** Node calls listeners with arguments, Deno without: each of Deno's gets one of Node's, found again at removal. */
const wrapped = new Map<string, Map<Listener, Listener>>();

/** signal(7): an old name that Node does not know. */
const named = (signal: NodeJS.Signals): NodeJS.Signals =>
  (signal as string) === "SIGUNUSED" && isSignal("SIGSYS") ? "SIGSYS" : signal;

export function addSignalListener(alias: NodeJS.Signals, listener: Listener): void {
  const signal = named(alias);
  check(signal);
  checkListener(listener);
  let listeners = wrapped.get(signal);
  if (listeners === undefined) wrapped.set(signal, (listeners = new Map()));
  // Deno keeps a set: the same function twice is called once.
  if (listeners.has(listener)) return;
  const wrapper = () => listener();
  listeners.set(listener, wrapper);
  process.on(signal, wrapper);
}

export function removeSignalListener(alias: NodeJS.Signals, listener: Listener): void {
  const signal = named(alias);
  if (!isSignal(signal)) throw new TypeError(`Invalid signal: ${signal}`);
  checkListener(listener);
  const wrapper = wrapped.get(signal)?.get(listener);
  if (wrapper === undefined) return;
  wrapped.get(signal)?.delete(listener);
  process.off(signal, wrapper);
}

export function kill(pid: number, signal: NodeJS.Signals | number = "SIGTERM"): void {
  if (typeof signal === "string" && !isSignal(signal)) throw new TypeError(`Invalid signal: ${signal}`);
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH") throw new NotFound("ESRCH: No such process");
    if (code === "EPERM") throw new PermissionDenied("EPERM: Operation not permitted");
    if (code === "EINVAL") throw new TypeError("EINVAL: Invalid argument");
    throw error;
  }
}

/** For `ChildProcess.kill` too. Not imported: most programs never ask, and every start would pay for it. */
export function isSignal(name: string): boolean {
  return name in process.getBuiltinModule("node:os").constants.signals;
}

function checkListener(listener: unknown): void {
  if (typeof listener === "function") return;
  throw new TypeError(`Signal listener must be a function. "${String(listener)}" is given.`);
}

function check(signal: string): void {
  if (!isSignal(signal)) throw new TypeError(`Invalid signal: ${signal}`);
  if (uncatchable.has(signal)) throw new TypeError(`Binding to signal '${signal}' is not allowed`);
}

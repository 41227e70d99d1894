/**
 * The events that Deno fires on the global scope: `load`, `beforeunload`, `unload`, `error`, `unhandledrejection`. There
 * is nothing of it until a program listens.
 */
import { posix } from "node:path";
import { PROGRAM_ROOT } from "../runtime/assets.ts";

type Listener = EventListenerOrEventListenerObject;
type Handler = (event: Event) => unknown;

/** Node's keeps the listeners; what they see as the event's target is globalThis. */
let events: EventTarget | undefined;
/** Around a listener: the same for the same, so that it is found again. */
const around = new WeakMap<Listener, (event: Event) => void>();
const handlers = new Map<string, Handler>();
/** Nothing more is fired: the program has failed, or has been told of its end. */
let over = false;
let byHand = false;
let watchesRejections = false;

export function addEventListener(type: string, listener: Listener | null, options?: AddEventListenerOptions): void {
  const target = listen(String(type));
  target.addEventListener(type, listener === null ? null : guarded(listener), options);
}

export function removeEventListener(type: string, listener: Listener | null, options?: EventListenerOptions): void {
  const known = listener === null ? undefined : around.get(listener);
  if (known !== undefined) events?.removeEventListener(type, known, options);
}

export function dispatchEvent(event: Event): boolean {
  const target = (events ??= new EventTarget());
  if (event instanceof Event) {
    const here = { get: () => globalThis, configurable: true };
    Object.defineProperties(event, { target: here, currentTarget: here });
  }
  return target.dispatchEvent(event);
}

/** `onload` and the like: a listener whose place is that of the first that was set. */
export function handlerOf(type: string): Handler | null {
  return handlers.get(type) ?? null;
}

export function setHandler(type: string, handler: unknown): void {
  const first = !handlers.has(type);
  if (typeof handler !== "function") {
    handlers.delete(type);
    removeEventListener(type, calls[type] ?? null);
    return;
  }
  handlers.set(type, handler as Handler);
  if (first) addEventListener(type, (calls[type] ??= (event) => handlers.get(type)?.call(globalThis, event)));
}

const calls: Record<string, Handler> = {};

/** The program's modules have been evaluated. */
export function fireLoad(): void {
  fire("load", false);
}

/** Nothing is left to wait for. False when a listener wants to go on all the same. */
export function fireBeforeUnload(): boolean {
  return fire("beforeunload", true);
}

/** Once, however the process ends, unless by an error. */
export function fireUnload(): void {
  fire("unload", false);
  over = true;
}

/** The program has failed: its end is not told. */
export function hasFailed(): void {
  over = true;
}

/** Whoever calls this fires `beforeunload` himself. */
export function endsByHand(): void {
  byHand = true;
}

let reporting = false;

/** Fires `error` for what nobody caught; true when a listener has taken it upon itself by preventDefault(). */
export function isHandled(error: unknown, origin: string): boolean {
  // A rejection has an event of its own. What throws as it hears of an error is not told again.
  if (events === undefined || origin === "unhandledRejection" || reporting) return false;
  reporting = true;
  try {
    return !dispatchEvent(errorEvent(error));
  } finally {
    reporting = false;
  }
}

/** An error goes where those go that nobody caught. */
export function reportError(...given: readonly unknown[]): void {
  if (given.length === 0) {
    throw new TypeError("Failed to execute 'reportError': 1 argument required, but only 0 present");
  }
  report(given[0], "uncaughtException");
}

/** Ends the program as its own rejected promises do, in the tick of the call. */
function report(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  if (process.listenerCount("uncaughtException") > 0) process.emit("uncaughtException", error as Error, origin);
  else
    process.nextTick(() => {
      throw error;
    });
}

function listen(type: string): EventTarget {
  if (events === undefined) {
    events = new EventTarget();
    process.on("exit", fireUnload);
    process.on("beforeExit", () => {
      // As in Deno: it looks again, and asks again.
      if (!byHand && !fireBeforeUnload()) setImmediate(() => {});
    });
  }
  if (type === "unhandledrejection" && !watchesRejections) {
    watchesRejections = true;
    process.on("unhandledRejection", rejected);
  }
  return events;
}

/** The program failed as it was loaded; under Deno it is its module's promise that nobody caught. */
export function isLoadHandled(error: unknown): boolean {
  fireLoad();
  if (!watchesRejections) return false;
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return isRejectionHandled(error, promise);
}

function isRejectionHandled(reason: unknown, promise: Promise<unknown>): boolean {
  const init = { promise, reason, cancelable: true };
  return !dispatchEvent(new PromiseRejectionEvent("unhandledrejection", init));
}

function rejected(reason: unknown, promise: Promise<unknown>): void {
  if (isRejectionHandled(reason, promise)) return;
  // One with Node's own listener decides for itself.
  if (process.listenerCount("unhandledRejection") === 1) report(reason, "unhandledRejection");
}

function fire(type: string, cancelable: boolean): boolean {
  if (events === undefined || over) return true;
  return dispatchEvent(new Event(type, { cancelable }));
}

/** What a listener throws is reported at once, where Node would do it in the next tick, when all may be over. */
function guarded(listener: Listener): (event: Event) => void {
  let guard = around.get(listener);
  if (guard === undefined) {
    guard = (event) => {
      try {
        if (typeof listener === "function") listener.call(globalThis, event);
        else listener.handleEvent(event);
      } catch (error) {
        report(error, "uncaughtException");
      }
    };
    around.set(listener, guard);
  }
  return guard;
}

interface PromiseRejectionEventInit extends EventInit {
  readonly promise: Promise<unknown>;
  readonly reason?: unknown;
}

/** https://html.spec.whatwg.org/multipage/webappapis.html#promiserejectionevent */
export class PromiseRejectionEvent extends Event {
  readonly promise: Promise<unknown>;
  readonly reason: unknown;

  constructor(type: string, init: PromiseRejectionEventInit) {
    super(type, init);
    this.promise = init.promise;
    this.reason = init.reason;
  }
}

function errorEvent(error: unknown): Event {
  const { fileName = "", line = 0, column = 0 } = placeOf(error);
  return new ErrorEvent("error", {
    message: `Uncaught ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    filename: fileName,
    lineno: line,
    colno: column,
    error,
    cancelable: true,
  });
}

/** Where an error was made, by the first line of its stack that names a file. */
export function placeOf(error: unknown): { fileName?: string; line?: number; column?: number } {
  const found = /^ +at (?:.*\()?(?!node:)([^\s()]+):(\d+):(\d+)\)?$/m.exec(stackText(error));
  if (found === null) return {};
  const [, file, line, column] = found;
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  // In an executable names are the project's.
  const fileName = /^[a-z]{2,}:/.test(file) ? file : pathToFileURL(posix.resolve(PROGRAM_ROOT, file)).href;
  return { fileName, line: Number(line), column: Number(column) };
}

function stackText(error: unknown): string {
  return error instanceof Error ? String(error.stack) : "";
}

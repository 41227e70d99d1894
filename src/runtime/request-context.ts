/**
 * Which request the running code belongs to, so that `go` finds its signal: also after an await, in a timer, anywhere
 * that the request's handler led to.
 *
 * Code that runs before a handler's first await is found by one variable, at the price of two stores. What runs later
 * needs AsyncLocalStorage, 75 ns a request (measured, Node 26): that is on only in programs that can ask, those that
 * import `slipway` (src/mod.ts calls `trackRequests`), and in ones whose stalls are traced.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { callWith } from "./call-site.ts";
import { callBegan, callEnded } from "./stall-clock.ts";

/** What a request is to the runtime; an Exchange of src/http is one. */
export interface RequestScope {
  readonly method: string;
  /** The request's head, from its request line on. */
  readonly head: string;
  /** Aborted when the client goes away, a limit fires or the server ends. Made when first asked for. */
  signal(): AbortSignal;
}

type Call<A, B, R> = (a: A, b: B) => R;
type Clean = <A, B, R>(
  run: (scope: RequestScope, fn: Call<A, B, R>, a: A, b: B) => R,
  scope: RequestScope,
  fn: Call<A, B, R>,
  a: A,
  b: B,
) => R;

let running: RequestScope | undefined;
let storage: AsyncLocalStorage<RequestScope | undefined> | undefined;
let clean: Clean | undefined;

/** The request that the running code belongs to. */
export const requestContext = {
  get current(): RequestScope | undefined {
    return running ?? storage?.getStore();
  },
};

/** True when requests must be told apart after an await too: then every handler call needs its exchange. */
export function tracksRequests(): boolean {
  return storage !== undefined;
}

/**
 * From now on code is told which request it belongs to also after an await. With `atLoad`, the caller is sure to run
 * outside of any request and of the program's own AsyncLocalStorage: then each call costs half as much.
 */
export function trackRequests(atLoad = false): void {
  if (storage !== undefined) return;
  const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
  storage = new AsyncLocalStorage();
  // Goes back to where it was made, at no cost; AsyncLocalStorage.run makes a second copy of the context for that.
  if (atLoad) clean = AsyncLocalStorage.snapshot() as unknown as Clean;
}

/**
 * Calls a handler for a request. For src/http/service.ts, around each call:
 *
 *     response = runInRequest(exchange, handler, requestFrom(exchange), new HandlerInfo(exchange));
 *
 * What the handler returns or throws comes out unchanged. Nothing is made of the scope unless it is asked for.
 */
export function runInRequest<A, B, R>(scope: RequestScope, fn: Call<A, B, R>, a: A, b: B): R {
  const before = callBegan(scope);
  const outer = running;
  running = scope;
  try {
    if (storage === undefined) return callWith(fn, a, b);
    return clean === undefined ? storage.run(scope, fn, a, b) : clean(enterRequest, scope, fn, a, b);
  } finally {
    running = outer;
    callEnded(scope, before);
  }
}

function enterRequest<A, B, R>(scope: RequestScope, fn: Call<A, B, R>, a: A, b: B): R {
  storage?.enterWith(scope);
  return callWith(fn, a, b);
}

/** Calls what it is given in the context of AsyncLocalStorage that it was made in. 80 ns a call. */
export type Context = <A extends unknown[], R>(fn: (...args: A) => R, ...args: A) => R;

export function contextHere(): Context {
  return process.getBuiltinModule("node:async_hooks").AsyncLocalStorage.snapshot() as unknown as Context;
}

/** Runs what belongs to no request although a request's code caused it: the turn, which an immediate of theirs begins. */
export function leaveRequests(): void {
  if (storage !== undefined && storage.getStore() !== undefined) storage.enterWith(undefined);
}

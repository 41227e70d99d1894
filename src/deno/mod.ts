/**
 * The `Deno` namespace: programs written for Deno find what they call, and what we can't do says so in one sentence.
 * docs/deno.md has a row for each member.
 */
import { installGlobals } from "./globals.ts";
import { makeNamespace } from "./namespace.ts";

export type { DenoServeOptions } from "./serve.ts";
export { serve } from "./serve.ts";

/** Puts `globalThis.Deno` and the rest of Deno's global scope in place, unless there is one: a real Deno stays what it is. */
export function installDeno(): void {
  if ("Deno" in globalThis) return;
  installGlobals();
  const define = (value: object) => {
    Object.defineProperty(globalThis, "Deno", { value, writable: false, enumerable: true, configurable: true });
    return value;
  };
  // Most handlers never look at it: it is made when the first one does.
  Object.defineProperty(globalThis, "Deno", {
    get: () => define(makeNamespace()),
    set: define,
    enumerable: true,
    configurable: true,
  });
}

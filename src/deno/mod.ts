/**
 * The `Deno` namespace: programs written for Deno find what they call. `serve`, `listen`, `connect`, `errors` and what
 * a server touches at its start are our own; everything else comes from @deno/shim-deno, loaded when first touched.
 */
import * as net from "../net/mod.ts";
import { errors } from "../runtime/errors.ts";
import { serve } from "./serve.ts";

/** Puts `globalThis.Deno` in place, unless there is one: a real Deno stays what it is. */
export function installDeno(): void {
  if ("Deno" in globalThis) return;
  Object.defineProperty(globalThis, "Deno", {
    value: { serve, errors, listen: net.listen, connect: (net as Record<string, unknown>).connect, env, args },
    writable: true,
    configurable: true,
  });
}

const args = process.argv.slice(2);
const env = {
  get: (name: string): string | undefined => process.env[name],
};

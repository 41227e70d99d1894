/** Members of `Deno` that Slipway does not have: touching them is fine, using them says so in one sentence. */
import { NotSupported } from "../runtime/errors.ts";

/** Each member with what to do instead. */
export const unsupportedMembers: Readonly<Record<string, string>> = {
  serveHttp: "use Deno.serve",
  dlopen: "use npm's koffi",
  UnsafeCallback: "use npm's koffi",
  UnsafePointer: "use npm's koffi",
  UnsafePointerView: "use npm's koffi",
  UnsafeFnPointer: "use npm's koffi",
  Process: "Deno 2 has removed it; use Deno.Command",
  run: "Deno 2 has removed it; use Deno.Command",
  lint: "run deno lint",
  telemetry: "use npm's @opentelemetry/api",
  jupyter: "it exists in notebooks only",
  internal: "it is Deno's own affair",
};

/** A value that may be passed around but throws when it is called, constructed or looked into. */
export function unsupported(name: string, instead: string): unknown {
  const refuse = (): never => {
    throw new NotSupported(`Deno.${name} is not supported by Slipway: ${instead}`);
  };
  // A class may be called and constructed, and typeof calls it a function.
  return new Proxy(class {}, {
    apply: refuse,
    construct: refuse,
    // Symbols and a function's own members are what printing, cloning and awaiting look at.
    get: (target, key, receiver) =>
      typeof key === "symbol" || key in target || key === "then" || key === "toJSON"
        ? Reflect.get(target, key, receiver)
        : refuse(),
  });
}

/** Members of `Deno` that Slipway does not have: touching them is fine, using them says so in one sentence. */
import { NotSupported } from "../runtime/errors.ts";

/** Each member of Deno's namespace with what to do instead; docs/deno.md is made from these. */
export const unsupportedMembers: Readonly<Record<string, string>> = {
  serveHttp: "Deno 2 has removed it; use Deno.serve",
  Process: "Deno 2 has removed it; use Deno.Command",
  run: "Deno 2 has removed it; use Deno.Command",
  dlopen: "use npm's koffi",
  UnsafeCallback: "use npm's koffi",
  UnsafePointer: "use npm's koffi",
  UnsafePointerView: "use npm's koffi",
  UnsafeFnPointer: "use npm's koffi",
  lint: "run deno lint",
  telemetry: "use npm's @opentelemetry/api",
  internal: "it is Deno's own affair",
};

/** The same for what Deno shows to programs only that ask for it by a flag: `Object.keys(Deno)` has none of them. */
export const unsupportedUnstable: Readonly<Record<string, string>> = {
  openKv: "use node:sqlite, or a database of its own",
  Kv: "use node:sqlite, or a database of its own",
  KvListIterator: "use node:sqlite, or a database of its own",
  KvU64: "use node:sqlite, or a database of its own",
  AtomicOperation: "use node:sqlite, or a database of its own",
  cron: "use a scheduler outside (cron, a systemd timer, a CronJob), or setInterval",
  bundle: "use npm's esbuild",
  jupyter: "it exists in notebooks only",
  QuicEndpoint: "there is no QUIC; use Deno.listenTls, or Deno.serve with HTTP/2",
  connectQuic: "there is no QUIC; use Deno.connectTls",
  upgradeWebTransport: "there is no QUIC; use Deno.upgradeWebSocket",
  webgpu: "a server has no GPU of its own; use a library for it",
  UnsafeWindowSurface: "a server has no windows",
};

/** A value that may be passed around but throws when it is called, constructed or looked into. */
export function unsupported(name: string, instead: string): unknown {
  return refusing(`Deno.${name}`, instead);
}

function refusing(name: string, instead: string): unknown {
  const refuse = (): never => {
    throw new NotSupported(`${name} is not supported by Slipway: ${instead}`);
  };
  // A class may be called and constructed, and typeof calls it a function.
  return new Proxy(class {}, {
    apply: refuse,
    construct: refuse,
    set: refuse,
    // Symbols and a function's own members are what printing, cloning and awaiting look at.
    get: (target, key, receiver) =>
      typeof key === "symbol" || key in target || key === "then" || key === "toJSON"
        ? Reflect.get(target, key, receiver)
        : refuse(),
  });
}

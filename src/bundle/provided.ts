/**
 * The modules that a program gets from the runtime it runs on instead of carrying a copy: `slipway` and its
 * parts, so that a handler's classes are the server's own.
 */

/** Loads each module by the name that programs import. */
export const runtimeModules: Readonly<Record<string, () => Promise<object>>> = {
  slipway: () => import("../mod.ts"),
  "slipway/net": () => import("../net/mod.ts"),
  "slipway/http": () => import("../http/mod.ts"),
  "slipway/fetch": () => import("../fetch/mod.ts"),
};

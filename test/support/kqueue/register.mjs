/**
 * Loaded before a program (`node --import`, or NODE_OPTIONS so that its workers and children have it too), this puts it on
 * another system's C library: SLIPWAY_TEST_SYSTEM=darwin or freebsd. Two modules of ours are exchanged, what finds koffi and
 * what chooses the table of numbers; everything else is what ships.
 */
import { registerHooks } from "node:module";

const here = new URL(".", import.meta.url);
const exchanged = new Map(
  ["koffi.ts", "constants.ts"].map((name) => [
    new URL(`../../../ffi/${name}`, here).href,
    new URL(name === "koffi.ts" ? "foreign-koffi.ts" : "foreign-constants.ts", here).href,
  ]),
);

if (process.env.SLIPWAY_TEST_SYSTEM && typeof registerHooks === "function") {
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const instead = exchanged.get(found.url);
      // Ours look at what they stand for.
      if (instead === undefined || context.parentURL?.startsWith(here.href)) return found;
      return { ...found, url: instead, shortCircuit: true };
    },
  });
}

/** Stands for `ffi/koffi.ts` on a foreign system (register.mjs): the C library is that of SLIPWAY_TEST_SYSTEM. */
import type { koffi as real } from "../../../ffi/koffi.ts";
import { foreignKoffi } from "./c-library.ts";

export * from "../../../ffi/koffi.ts";

export const koffi: typeof real = foreignKoffi(process.env["SLIPWAY_TEST_SYSTEM"] === "freebsd" ? "freebsd" : "darwin");

/** Stands for `ffi/constants.ts` on a foreign system (register.mjs): the table is that of SLIPWAY_TEST_SYSTEM. */
import { darwin } from "../../../ffi/constants/darwin.ts";
import { freebsd } from "../../../ffi/constants/freebsd.ts";
import type { Constants } from "../../../ffi/constants.ts";

export type * from "../../../ffi/constants.ts";

export function constantsHere(): Constants {
  return process.env["SLIPWAY_TEST_SYSTEM"] === "freebsd" ? freebsd : darwin;
}

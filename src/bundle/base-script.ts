/** What the base calls its script, in stack traces and among its assets. */
export const BASE_SCRIPT = "slipway.cjs";

/** Among the globals of an executable's worker thread, before its runtime is evaluated: so the runtime knows where it is. */
export const IN_THREAD = "__slipwayThread";

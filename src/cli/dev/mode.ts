/**
 * When `run` is for development: at a terminal, that is when standard input, output and error are one; unless
 * NODE_ENV is "production" or this is process 1, as in a container. `--dev` and `--no-dev` say so themselves. Compiled
 * servers have none of this: it is no part of their base.
 */
import { isTerminal } from "../../terminal/colors.ts";
import type { Inspect } from "./inspect-flags.ts";

/** How a program is run, beside its options; plain data, which `run --watch` sends to its children. */
export interface RunMode {
  readonly dev: boolean;
  readonly inspect: Inspect | undefined;
}

/** `asked`: what the command line says. */
export function isDevelopment(asked: boolean | undefined): boolean {
  if (asked !== undefined) return asked;
  return [0, 1, 2].every(isTerminal) && process.env.NODE_ENV !== "production" && process.pid !== 1;
}

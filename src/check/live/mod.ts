/** `slipway check <address>`: attacks a running server and prints a scorecard. */
import type { CheckOptions } from "../../cli/check.ts";
import { Failure } from "../../cli/errors.ts";

/** Gives the exit code. */
export async function checkServer(target: string, _options: CheckOptions): Promise<number> {
  throw new Failure(`${target}: servers cannot be checked yet`);
}

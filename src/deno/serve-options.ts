/** Says what is doubtful about the options of `Deno.serve`. Loaded when there are any beside the usual ones. */
import { handover } from "../net/handover.ts";
import { serveWarnings } from "../options/serve.ts";
import { logLine } from "../runtime/log.ts";

/** A program may open the same server again and again. */
const said = new Set<string>();

export function warnOfOptions(options: object): void {
  for (const line of serveWarnings(options, handover.serveDefaults?.limits ?? {})) {
    if (said.has(line)) continue;
    said.add(line);
    logLine(line);
  }
}

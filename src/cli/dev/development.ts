/**
 * Development (mode.ts has when): what `slipway run` does for the person who looks at it. A banner, a line for each request, and in the
 * browser the error instead of "Internal Server Error".
 */
import { setErrorPage } from "../../http/failure.ts";
import { observer, setObserver } from "../../http/observer.ts";
import type { Resolved } from "../../options/resolve.ts";
import { showStacks } from "../../runtime/error-text.ts";
import { isTerminal } from "../../terminal/colors.ts";
import { authorStack } from "./code-frame.ts";
import { errorPage } from "./error-page.ts";
import { RequestLog } from "./request-log.ts";

/** What people read; programs get all of it. */
function logIsText({ settings }: Resolved): boolean {
  return settings.logFormat === "text" || (settings.logFormat === "auto" && isTerminal(1) && isTerminal(2));
}

/** Before the program is loaded. An access log that was asked for, or refused, goes before ours. */
export function develop(resolved: Resolved): void {
  setErrorPage(errorPage);
  if (logIsText(resolved)) showStacks(authorStack);
  // Lines for people have no place among those for programs.
  if (resolved.settings.logFormat === "json") return;
  const access = resolved.entries.find(({ name }) => name === "accessLog");
  if (access?.source === "default" && observer === undefined) setObserver(new RequestLog());
}

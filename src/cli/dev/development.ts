/**
 * Development (mode.ts has when): what `slipway run` does for the person who looks at it. A banner, a line for each request, and in the
 * browser the error instead of "Internal Server Error".
 */
import { setErrorPage } from "../../http/failure.ts";
import { observer, setObserver } from "../../http/observer.ts";
import type { Resolved } from "../../options/resolve.ts";
import { errorPage } from "./error-page.ts";
import { RequestLog } from "./request-log.ts";

/** Before the program is loaded. An access log that was asked for, or refused, goes before ours. */
export function develop({ entries }: Resolved): void {
  setErrorPage(errorPage);
  const access = entries.find(({ name }) => name === "accessLog");
  if (access?.source === "default" && observer === undefined) setObserver(new RequestLog());
}

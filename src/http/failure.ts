/** What the client gets when a handler fails: what `onError` makes of it, or a plain 500 that tells no details. */
import { isLightResponse } from "../fetch/mod.ts";
import { logError } from "../runtime/log.ts";
import { isThenable } from "./connection.ts";
import type { Exchange } from "./exchange.ts";

export type ErrorHandler = (error: unknown) => Response | Promise<Response>;

/** What a handler may throw, or let through, that is the client's fault: answered so, and nothing to fill a log with. */
export abstract class ClientFault extends TypeError {
  /** The answer, where the program's `onError` makes none. */
  abstract response(): Response;
}

/** What a browser is shown instead of the plain 500, where there is something for it. */
export type ErrorPage = (error: unknown, exchange: Exchange) => Response | undefined;

let errorPage: ErrorPage | undefined;

/** Only `slipway run` at a terminal calls this (src/cli/dev/development.ts): what a compiled server answers tells no details. */
export function setErrorPage(page: ErrorPage | undefined): void {
  errorPage = page;
}

/** The response to an error; `what` failed. Its promise never rejects, and what it gives is always a Response. */
export function failureResponse(
  error: unknown,
  onError: ErrorHandler | undefined,
  exchange?: Exchange,
  what = "the handler failed",
): Response | Promise<Response> {
  if (onError === undefined) {
    if (error instanceof ClientFault) return error.response();
    logError(what, error, { request_id: exchange?.requestId });
    return (exchange && errorPage?.(error, exchange)) ?? internalError();
  }
  try {
    const response = onError(error);
    return isThenable(response) ? Promise.resolve(response).then(sound, doubleFault) : sound(response);
  } catch (failed) {
    return doubleFault(failed);
  }
}

/** What `onError` gave can't be sent either. */
export function unsendable(error: unknown): Response {
  logError("onError gave a response that could not be sent", error);
  return internalError();
}

function doubleFault(error: unknown): Response {
  logError("onError failed itself", error);
  return internalError();
}

function internalError(): Response {
  return new Response("Internal Server Error", { status: 500 });
}

function sound(response: unknown): Response {
  if (isLightResponse(response) || response instanceof Response) return response as Response;
  return doubleFault(new TypeError("onError must return a Response or a promise of one"));
}

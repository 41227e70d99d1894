/** Strict-Transport-Security on all that is answered over TLS, but for what says it itself. */
import { addField, isLightResponse } from "../fetch/mod.ts";
import type { Handler } from "./service.ts";

export const NAME = "strict-transport-security";

/** The response, which says it unless it says something else. */
export function sayHsts<T>(response: T, value: string): T {
  if (isLightResponse(response)) addField(response, NAME, value);
  // Made by code that had the host's own class: its headers may be locked, and then it goes without.
  else if (response instanceof globalThis.Response && !response.headers.has(NAME)) {
    try {
      response.headers.set(NAME, value);
    } catch {}
  }
  return response;
}

export function withHsts(handler: Handler, value: string): Handler {
  const said = (response: unknown): unknown => sayHsts(response, value);
  return ((request: Request, info: never) => {
    const response: unknown = (handler as (request: Request, info: never) => unknown)(request, info);
    return typeof response === "object" && response !== null && "then" in response
      ? Promise.resolve(response).then(said)
      : said(response);
  }) as Handler;
}

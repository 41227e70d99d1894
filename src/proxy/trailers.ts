/**
 * Trailer fields (RFC 9110, 6.5) of both directions. A message in chunks has them behind its last one (RFC 9112, 7.1.2), HTTP/2 in
 * a HEADERS frame of its own (RFC 9113, 8.1). What may not be behind a body is dropped, and so is what this proxy has said
 * otherwise in the head: who merges the two must not be told something else behind it.
 */
import type { Exchange } from "../http/exchange.ts";
import { Extras, MOST, receivedTrailers } from "../http/extras.ts";
import type { IncomingBody } from "../http/incoming-body.ts";
import { FORWARDED, fieldValue, isForProxy, namedIn } from "./fields.ts";

/** Said in a request's head by this proxy, or by the server itself. */
const SAID: ReadonlySet<string> = new Set(["via", "forwarded", "x-request-id"]);

/** Whether trailers are taken, by the client and by all that are before it (RFC 9110, 10.1.4). */
export function takesTrailers(fields: readonly string[]): boolean {
  const codings = fieldValue(fields, "te")?.split(",") ?? [];
  return codings.some((coding) => coding.trim().toLowerCase() === "trailers");
}

/** The line that announces a request's trailers (RFC 9110, 6.6.2), without those that will not come. */
export function announcement(fields: readonly string[]): string {
  const names = (fieldValue(fields, "trailer") ?? "").split(",").map((name) => name.trim());
  const passed = kept(
    fields,
    names.flatMap((name) => (/^[\w!#$%&'*+.^`|~-]+$/.test(name) ? [name, ""] : [])),
  );
  return passed.length > 0 ? `trailer: ${passed.map(([name]) => name).join(", ")}\r\n` : "";
}

/** All of a request's body is there, and nothing behind it: then it needs no chunks. */
export function isThere(body: IncomingBody | undefined): boolean {
  return body?.complete === true && body.knownTrailers?.length === 0;
}

/** Of the client, for the upstream, once they have come; none where the program has sent another body in its place. */
export async function requestTrailers(fields: readonly string[], body: IncomingBody): Promise<[string, string][]> {
  return body.complete ? kept(fields, await body.trailers()) : [];
}

/** Of the upstream, for the client: behind this answer and no other. */
export function answerTrailers(
  exchange: Exchange,
  response: Response,
  fields: readonly string[],
  body: IncomingBody,
): void {
  const extras = (exchange.extras ??= new Extras());
  // Asked when the last byte has gone on, so they are here.
  extras.trailers = () => kept(fields, body.knownTrailers ?? []);
  extras.of = response;
}

/** What is passed on; nothing, if it is more than fits behind a body. */
function kept(fields: readonly string[], trailers: readonly string[]): [string, string][] {
  if (trailers.length === 0) return [];
  const named = namedIn(fields);
  let size = 0;
  const passed: [string, string][] = [];
  for (const [name, value] of receivedTrailers(trailers)) {
    if (SAID.has(name) || FORWARDED.test(name) || named?.has(name) || isForProxy(name)) continue;
    size += name.length + value.length + 32;
    passed.push([name, value]);
  }
  return size > MOST ? [] : passed;
}

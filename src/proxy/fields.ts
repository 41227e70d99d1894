/**
 * What of a message's fields is passed on (RFC 9110, 7.6.1): all that is not about one connection. `Connection` names more of
 * these, by the sender's word, so whatever this proxy adds is added behind that: a client can't have it taken away.
 */

/** About a connection, or about its message's frame, whose lines are written by whoever sends it next. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);
/** Ours to say to an upstream. `Expect` is answered by the server, as the body is read. */
const OURS_TO_SAY: ReadonlySet<string> = new Set(["host", "content-length", "expect", "via", "forwarded"]);
export const FORWARDED = /^(?:forwarded|x[-_]forwarded[-_].*|x[-_]real[-_]ip)$/;

/** Names that Connection gives away, in lower case; undefined where it names none. */
export function namedIn(fields: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "connection") continue;
    for (const option of fields[i + 1].split(",")) {
      const name = option.trim().toLowerCase();
      if (name === "" || name === "close" || name === "keep-alive") continue;
      named ??= new Set();
      named.add(name);
    }
  }
  return named;
}

/** "Proxy-Authorization" and the like are for the first proxy; "Proxy" becomes HTTP_PROXY in a CGI (CVE-2016-5385). */
export function isForProxy(name: string): boolean {
  return name.startsWith("proxy") && (name.length === 5 || name[5] === "-");
}

/** The fields of a request that an upstream gets; `believed`: what it says of clients before this one is kept. */
export function requestFields(fields: readonly string[], believed: boolean): string[] {
  const named = namedIn(fields);
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (HOP_BY_HOP.has(name) || OURS_TO_SAY.has(name) || named?.has(name) || isForProxy(name)) continue;
    // CGI and WSGI make one name of "-" and "_": what can't be said must not be said so either.
    if (!believed && FORWARDED.test(name)) continue;
    kept.push(name, fields[i + 1]);
  }
  return kept;
}

/** The fields of an answer that the client gets. Content-Length stays, for answers to HEAD and 304. */
export function responseFields(fields: readonly string[], status: number, via: string): string[] {
  const named = namedIn(fields);
  const kept: string[] = [];
  let vias = "";
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (name === "via") {
      vias += `${fields[i + 1]}, `;
      continue;
    }
    // RFC 9110, 15.5.22: what to upgrade to is said with a 426; the server says it to its own client.
    if (name === "upgrade" && status === 426) kept.push(name, fields[i + 1]);
    if (HOP_BY_HOP.has(name) || isForProxy(name)) continue;
    if (named?.has(name) && name !== "content-length") continue;
    kept.push(name, fields[i + 1]);
  }
  kept.push("via", vias + via);
  return kept;
}

/** The value of `name`, several lines joined; undefined where there is none. */
export function fieldValue(fields: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) value = value === undefined ? fields[i + 1] : `${value}, ${fields[i + 1]}`;
  }
  return value;
}

/** Whether a request has been here before (RFC 9110, 7.6.3): Via names who it passed, comments aside. */
export function hasPassed(via: string | undefined, name: string): boolean {
  if (via === undefined || !via.includes(name)) return false;
  return via
    .replaceAll(/\([^()]*\)/g, " ")
    .split(",")
    .some((hop) => hop.trim().split(/[\t ]+/)[1] === name);
}

/** More proxies in a row are no chain but a circle of those that don't know themselves. */
const MOST_HOPS = 64;

export function hopsIn(via: string | undefined): boolean {
  return via !== undefined && via.split(",").length > MOST_HOPS;
}

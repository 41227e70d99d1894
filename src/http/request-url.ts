/** The absolute URL of a request, from its target and Host (RFC 9112, 3.3), as `new URL(…).href` would write it. */

import type { Addr } from "../net/mod.ts";
import type { Forwarded } from "./forwarded.ts";

/** Targets that the URL parser would leave as they are: no dot segments, nothing to encode. */
const PLAIN_TARGET = /^\/[\w\-.~!$&()*+,;=:@/?%]*$/;
const DOT_SEGMENT = /\/\.|%2e/i;
/** Hosts that it would leave as they are: lower case, no punycode, not the scheme's own port. */
const PLAIN_HOST =
  /^(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*)(?::(?!80$|443$)[1-9]\d{0,4})?$/;

let lastHost = "";
let lastOrigin = "";

/** `host` comes from the Host field or the absolute form and was validated by the parser. */
export function requestUrl(scheme: "http" | "https", host: string, target: string): string {
  const origin = originOf(scheme, host);
  if (PLAIN_TARGET.test(target) && !DOT_SEGMENT.test(target)) return origin + target;
  if (target === "*") return `${origin}/*`;
  const url = target.startsWith("/") ? origin + target : target;
  return URL.canParse(url) ? new URL(url).href : `${origin}/`;
}

/** The same of a request that a proxy forwarded: scheme and host are those that the client named, where the proxy says. */
export function forwardedUrl(
  said: Pick<Forwarded, "proto" | "host">,
  scheme: "http" | "https",
  host: string,
  target: string,
): string {
  if (target.startsWith("/") || target === "*") return requestUrl(said.proto ?? scheme, said.host ?? host, target);
  // The absolute form names both itself, as the proxy saw them.
  const { protocol, host: named, pathname, search } = new URL(requestUrl(scheme, host, target));
  return requestUrl(said.proto ?? (protocol === "https:" ? "https" : "http"), said.host ?? named, pathname + search);
}

/** The server's own name, for HTTP/1.0 requests that come without a Host (RFC 9112, 3.3). */
export function authorityOf(addr: Addr): string {
  if (addr.transport === "unix") return "localhost";
  const { hostname, port } = addr as { hostname: string; port: number };
  const everywhere = hostname === "0.0.0.0" || hostname === "::";
  return `${everywhere ? "localhost" : hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

function originOf(scheme: string, host: string): string {
  if (host === lastHost && lastOrigin.startsWith(`${scheme}:`)) return lastOrigin;
  const plain = PLAIN_HOST.test(host) && !host.includes("xn--");
  lastOrigin = plain ? `${scheme}://${host}` : new URL(`${scheme}://${host}`).origin;
  lastHost = host;
  return lastOrigin;
}

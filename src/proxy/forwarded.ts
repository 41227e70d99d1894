/** What an upstream is told of the client: `Forwarded` (RFC 7239), and the older fields where they are asked for. */
import type { Addr } from "../net/mod.ts";
import { fieldValue } from "./fields.ts";

export interface Came {
  /** Who sent it to us. */
  readonly peer: Addr;
  /** Who it is from, by the word of those who are believed. */
  readonly client: Addr;
  readonly scheme: "http" | "https";
  /** What Host said; "" for nothing. */
  readonly authority: string;
  /** The peer is a proxy that is trusted: what it said before us stays. */
  readonly believed: boolean;
}

/** Appends to `kept`, the fields for the upstream, from which nothing of the client's own making is left. */
export function addForwarded(kept: string[], came: Came, fields: readonly string[], xForwarded: boolean): void {
  const { peer, client, scheme, authority, believed } = came;
  let chain = believed ? (fieldValue(fields, "forwarded") ?? "") : "";
  // The proxy before us knows only the older fields: what they said is not lost.
  if (believed && chain === "" && client !== peer) chain = `for=${node(client)}`;
  const host = authority === "" ? "" : `;host=${quoted(authority)}`;
  kept.push("forwarded", `${chain === "" ? "" : `${chain}, `}for=${node(peer)}${host};proto=${scheme}`);
  if (!xForwarded) {
    // Beside our Forwarded they would name another client than it does.
    drop(kept, /^x-forwarded-(?:for|proto|host)$/);
    return;
  }
  const before = believed ? fieldValue(kept, "x-forwarded-for") : undefined;
  const proto = believed ? fieldValue(kept, "x-forwarded-proto") : undefined;
  const named = believed ? fieldValue(kept, "x-forwarded-host") : undefined;
  drop(kept, /^x-forwarded-(?:for|proto|host)$/);
  const own = "hostname" in peer ? peer.hostname : "unknown";
  kept.push("x-forwarded-for", before === undefined ? own : `${before}, ${own}`);
  // What the first proxy was asked for: upstreams make links of it.
  kept.push("x-forwarded-proto", proto ?? scheme);
  if (named !== undefined || authority !== "") kept.push("x-forwarded-host", named ?? authority);
}

/** RFC 7239, 6: IPv6 in brackets and quotes; what has no address is "unknown". */
function node(addr: Addr): string {
  if (!("hostname" in addr)) return "unknown";
  return addr.hostname.includes(":") ? `"[${addr.hostname}]"` : addr.hostname;
}

function quoted(text: string): string {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

function drop(fields: string[], names: RegExp): void {
  for (let i = fields.length - 2; i >= 0; i -= 2) if (names.test(fields[i])) fields.splice(i, 2);
}

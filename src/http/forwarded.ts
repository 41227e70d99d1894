/**
 * Who a request comes from and what it was sent to, by the word of the proxies it passed: `Forwarded` (RFC 7239) and
 * the older `X-Forwarded-For`, `-Proto` and `-Host`, which no RFC describes. Anybody can send these fields, so they
 * are believed from trusted addresses only: from the connection's peer, and then from right to left, each entry having
 * been added by the address right of it, up to the first that nobody vouches for. That one is the client; what stands
 * left of it is the client's own invention, and is not even looked at.
 *
 * What two readers could take for two clients is refused (400), as in the rest of our parser: an entry of a trusted
 * proxy that is malformed, and `Forwarded` beside `X-Forwarded-For` that name different clients. nginx, for one, sends
 * its own X-Forwarded-For and passes on whatever `Forwarded` the client made up; other proxies do it the other way
 * round; so neither can take precedence. A proxy that sends both, or none but its own, is fine.
 */
import { type Addr, showAddress } from "../net/address.ts";
import { formatV4, formatV6, isMappedV4, parseIp } from "../net/ip.ts";
import type { Ranges } from "../net/trust.ts";

/** What trusted proxies say of a request. */
export interface Forwarded {
  readonly remoteAddr: Addr;
  /** How the client spoke to the first proxy; undefined when nobody said. */
  readonly proto: "http" | "https" | undefined;
  /** What the client named as Host; undefined when nobody said. */
  readonly host: string | undefined;
}

/** More proxies in a row than this are no chain but an attack on our time. */
const MAX_HOPS = 32;

/** Thrown inside, returned as its sentence. */
class Malformed extends Error {}

/**
 * Reads the fields of a request. `get` gives a field's value, several lines joined by ", " (RFC 9110 section 5.3), or
 * null. Gives the reason, as text, when the request must be refused.
 */
export function readForwarded(get: (name: string) => string | null, peer: Addr, trusted: Ranges): Forwarded | string {
  if (!trusted.hasPeer(peer)) return { remoteAddr: peer, proto: undefined, host: undefined };
  const standard = get("forwarded");
  const names = get("x-forwarded-for");
  const protos = get("x-forwarded-proto");
  const hosts = get("x-forwarded-host");
  try {
    const older =
      names === null && protos === null && hosts === null ? undefined : fromOlder(names, protos, hosts, peer, trusted);
    if (standard === null) return older ?? { remoteAddr: peer, proto: undefined, host: undefined };
    const newer = fromStandard(standard, peer, trusted);
    if (older === undefined) return newer;
    if (/[^,\s]/.test(names ?? "") && !sameHost(newer.remoteAddr, older.remoteAddr)) {
      throw new Malformed("Forwarded and X-Forwarded-For name different clients");
    }
    return { remoteAddr: newer.remoteAddr, proto: newer.proto ?? older.proto, host: newer.host ?? older.host };
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}

// ---- Forwarded

function fromStandard(value: string, peer: Addr, trusted: Ranges): Forwarded {
  let remoteAddr = peer;
  let proto: Forwarded["proto"];
  let host: string | undefined;
  let hops = 0;
  let end = value.length;
  while (end >= 0) {
    const start = elementStart(value, end);
    const element = value.slice(start, end);
    end = start - 1;
    // Lists may have empty elements (RFC 9110, 5.6.1.2).
    if (/^[\t ]*$/.test(element)) continue;
    if (++hops > MAX_HOPS) throw new Malformed("too many proxies in Forwarded");
    const pairs = readElement(element);
    // The proxy that the client spoke to says it last: what it says holds for the client.
    proto = readProto(pairs.get("proto"), "Forwarded") ?? proto;
    host = readHost(pairs.get("host"), "Forwarded") ?? host;
    const node = pairs.get("for");
    const addr = node === undefined ? undefined : readNode(node, "Forwarded");
    // Nobody is named ("unknown", "_hidden"): the last who was is as far as we know.
    if (addr === undefined) break;
    remoteAddr = addr;
    if (!trusted.hasPeer(addr)) break;
  }
  return { remoteAddr, proto, host };
}

/**
 * Where the element that ends at `end` begins. From the right, so that a quote that a client left open can't swallow
 * what a proxy put behind it.
 */
function elementStart(value: string, end: number): number {
  let i = end - 1;
  while (i >= 0 && value[i] !== ",") {
    if (value[i] === '"') {
      do i--;
      while (i >= 0 && (value[i] !== '"' || isEscaped(value, i)));
      if (i < 0) throw new Malformed("unbalanced quotes in Forwarded");
    }
    i--;
  }
  return i + 1;
}

/** True behind an odd number of backslashes. */
function isEscaped(value: string, at: number): boolean {
  let count = 0;
  while (value[at - 1 - count] === "\\") count++;
  return count % 2 === 1;
}

/**
 * RFC 7239 section 4, forwarded-pair. An address with a colon belongs into quotes; proxies forget them, and nothing else
 * can be meant, so ":" "[" and "]" are taken without.
 */
const PAIR =
  /[\t ]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z:[\]]+)|"((?:[^"\\]|\\.)*)")[\t ]*(?:;|$)|[\t ]*(?:;|$)/y;

function readElement(element: string): Map<string, string> {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const match = PAIR.exec(element);
    if (match === null) throw new Malformed("malformed Forwarded");
    const [, name, token, quoted] = match;
    if (name === undefined) continue;
    // Section 4: a parameter occurs at most once.
    const lower = name.toLowerCase();
    if (pairs.has(lower)) throw new Malformed(`repeated ${lower} in Forwarded`);
    pairs.set(lower, token ?? quoted.replace(/\\(.)/g, "$1"));
  }
  return pairs;
}

// ---- X-Forwarded-*

function fromOlder(
  names: string | null,
  protos: string | null,
  hosts: string | null,
  peer: Addr,
  trusted: Ranges,
): Forwarded {
  let remoteAddr = peer;
  /** Which entry, counted from the right, is the client's. */
  let place = 0;
  let hops = 0;
  for (const entry of fromRight(names ?? "")) {
    if (++hops > MAX_HOPS) throw new Malformed("too many proxies in X-Forwarded-For");
    const addr = readNode(entry, "X-Forwarded-For");
    if (addr === undefined) break;
    place = hops - 1;
    remoteAddr = addr;
    if (!trusted.hasPeer(addr)) break;
  }
  return {
    remoteAddr,
    proto: readProto(atPlace(protos, place), "X-Forwarded-Proto"),
    host: readHost(atPlace(hosts, place), "X-Forwarded-Host"),
  };
}

/**
 * The entry that belongs to the client's: each proxy of a chain has added one, or the first has set the only one.
 * Entries further left are the client's own.
 */
function atPlace(value: string | null, place: number): string | undefined {
  let found: string | undefined;
  for (const entry of fromRight(value ?? "")) {
    found = entry;
    if (place-- === 0) break;
  }
  return found;
}

/** The entries of a list without quotes, the last first; empty ones are skipped. */
function* fromRight(value: string): Generator<string> {
  for (let end = value.length; end > 0; ) {
    const start = value.lastIndexOf(",", end - 1) + 1;
    const entry = value.slice(start, end).trim();
    if (entry !== "") yield entry;
    end = start - 1;
  }
}

// ---- what both name

/** RFC 7239 section 6: an address with or without a port, "unknown", or "_" and a made-up name: those are undefined. */
function readNode(node: string, where: string): Addr | undefined {
  const match = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\]|(unknown|_[\w.-]+))(?::(?:(\d{1,5})|_[\w.-]+))?$/i.exec(
    node,
  );
  // X-Forwarded-For has IPv6 addresses as they are.
  const text = match === null ? (/^[0-9A-Fa-f:.]+$/.test(node) ? node : undefined) : (match[1] ?? match[2]);
  if (match?.[3] !== undefined) return undefined;
  const ip = text === undefined ? undefined : parseIp(text);
  const port = Number(match?.[4] ?? 0);
  if (ip === undefined || port > 65535) throw new Malformed(`malformed address in ${where}`);
  const { bytes } = ip;
  const v4 = bytes.length === 4 ? 0 : isMappedV4(bytes, 0) ? 12 : -1;
  return { transport: "tcp", hostname: v4 < 0 ? formatV6(bytes, 0) : formatV4(bytes, v4), port };
}

/** A URI scheme; of those a server's requests have two. Some proxies name WebSocket's, which are carried by them. */
function readProto(value: string | undefined, where: string): Forwarded["proto"] {
  switch (value?.toLowerCase()) {
    case undefined:
      return undefined;
    case "http":
    case "ws":
      return "http";
    case "https":
    case "wss":
      return "https";
    default:
      throw new Malformed(`${where} names neither http nor https`);
  }
}

/** As strict as Host itself is (RFC 9110, 7.2): what follows becomes part of the request's URL. */
function readHost(value: string | undefined, where: string): string | undefined {
  if (value === undefined) return undefined;
  const wellFormed = /^(?:[\w!$&'()*+;=.~%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(value);
  if (!wellFormed || !URL.canParse(`http://${value}/`)) throw new Malformed(`invalid host in ${where}`);
  return value;
}

function sameHost(a: Addr, b: Addr): boolean {
  return "hostname" in a && "hostname" in b ? a.hostname === b.hostname : showAddress(a) === showAddress(b);
}

/**
 * Whom to believe when a connection or a request says where it comes from: sets of addresses in CIDR notation
 * (RFC 4632, RFC 4291 section 2.3) and the words that people use for the usual ones.
 *
 * IPv4 is IPv4 however it is dressed: "::ffff:10.0.0.1" is in 10.0.0.0/8, and "::ffff:10.0.0.0/104" is that range. A
 * Unix client has no address; it is in a set that names "unix", and in no other.
 */
import type { Addr } from "./address.ts";
import { formatV4, formatV6, isMappedV4, parseIp } from "./ip.ts";

/** Bytes that an address must begin with: `bits` of them. */
interface Range {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** The words, and what they stand for. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  /** RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3. */
  loopback: ["127.0.0.0/8", "::1/128"],
  /** RFC 3927, RFC 4291 section 2.5.6. */
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  /** RFC 1918, RFC 4193: what nobody routes on the open internet. Not loopback: name that as well if it is meant. */
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
  all: ["0.0.0.0/0", "::/0"],
};

/** A set of addresses. Made by `parseRanges`. */
export class Ranges {
  /** Whether clients of a Unix socket belong to it. */
  readonly unix: boolean;
  /** As it is shown: ranges in their canonical form. */
  readonly shown: readonly string[];
  readonly #ranges: readonly Range[];
  // The same few proxies ask again and again: a look at the last answer is 5 ns, parsing and comparing some 600.
  #lastAsked = "";
  #lastAnswer = false;

  /** @internal Use `parseRanges`. */
  constructor(ranges: readonly Range[], unix: boolean, shown: readonly string[]) {
    this.#ranges = ranges;
    this.unix = unix;
    this.shown = shown;
  }

  /** Whether an IP address, as text, is in the set. What is no IP address is not. */
  has(hostname: string): boolean {
    if (hostname === this.#lastAsked) return this.#lastAnswer;
    const ip = parseIp(hostname);
    const bytes = ip === undefined ? undefined : plain(ip.bytes);
    this.#lastAnswer = bytes !== undefined && this.#ranges.some((range) => inRange(bytes, range));
    this.#lastAsked = hostname;
    return this.#lastAnswer;
  }

  /** Whether a peer is in the set. */
  hasPeer(addr: Addr): boolean {
    return "path" in addr ? this.unix : this.has(addr.hostname);
  }
}

/**
 * The set of what a list names: addresses ("192.0.2.1", "[2001:db8::1]"), ranges ("10.0.0.0/8", "2001:db8::/32"), and
 * "loopback", "linklocal", "private", "unix", "all" (every IP address). Entries may hold several, separated by commas.
 * Throws a TypeError, with `where` in its sentence, for anything else.
 *
 *     const trusted = parseRanges(["10.0.0.0/8, loopback"], "trustProxy");
 *     trusted.has("10.1.2.3"); // true
 */
export function parseRanges(list: string | readonly string[], where: string): Ranges {
  const entries = typeof list === "string" ? [list] : list;
  if (!Array.isArray(entries)) throw new TypeError(`${where} must be a list of addresses, not ${typeof list}`);
  const ranges: Range[] = [];
  const shown: string[] = [];
  let unix = false;
  for (const entry of entries as readonly unknown[]) {
    if (typeof entry !== "string") throw new TypeError(`${where} must list addresses as text, not ${typeof entry}`);
    for (const text of entry.split(",").map((part) => part.trim())) {
      if (text === "unix") {
        unix = true;
        shown.push(text);
        continue;
      }
      const word = Object.hasOwn(WORDS, text) ? WORDS[text] : undefined;
      for (const one of word ?? [text]) {
        const range = parseRange(one, where);
        ranges.push(range);
        if (word === undefined) shown.push(showRange(range));
      }
      if (word !== undefined) shown.push(text);
    }
  }
  return new Ranges(ranges, unix, shown);
}

/** What a server is told about the proxies in front of it. */
export interface ProxyOptions {
  /**
   * Each connection begins with a PROXY header (version 1 or 2), which names the client. A connection without one is
   * closed, and so is one that does not come from `trustProxy`. @default {false}
   */
  proxyProtocol?: boolean;
  /**
   * Addresses of proxies: "10.0.0.0/8", "loopback", "private", "unix", … Their `Forwarded` and `X-Forwarded-*` fields
   * are believed; nobody else's are. @default {[]}
   */
  trustProxy?: string | readonly string[];
}

/** The same, read: whose connections may begin with a PROXY header, and whose fields are believed. */
export interface ProxyTrust {
  readonly connections: Ranges | undefined;
  readonly fields: Ranges | undefined;
}

/** Reads the options; `where` begins the sentence of a TypeError. */
export function readProxyOptions({ proxyProtocol = false, trustProxy = [] }: ProxyOptions, where: string): ProxyTrust {
  if (typeof proxyProtocol !== "boolean") {
    throw new TypeError(`${where}: proxyProtocol must be true or false, not ${typeof proxyProtocol}`);
  }
  const fields = trustProxy.length === 0 ? undefined : parseRanges(trustProxy, `${where}: trustProxy`);
  // Nobody named: a proxy on this machine, and nobody else's word.
  return { fields, connections: proxyProtocol ? (fields ?? parseRanges("loopback,unix", where)) : undefined };
}

function parseRange(text: string, where: string): Range {
  const slash = text.indexOf("/");
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (ip === undefined || ip.zone !== "") {
    const known = [...Object.keys(WORDS), "unix"].join(", ");
    throw new TypeError(
      `${where}: ${JSON.stringify(text)} is no IP address or range: write for example 10.0.0.0/8, 2001:db8::/32, or one of ${known}`,
    );
  }
  const most = ip.bytes.length * 8;
  const digits = slash < 0 ? String(most) : text.slice(slash + 1);
  const bits = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(bits <= most)) {
    throw new TypeError(
      `${where}: the length of ${text} must be a whole number from 0 to ${most}: write for example ${text.slice(0, slash)}/${most}`,
    );
  }
  // ::ffff:0:0/96 and what lies in it is IPv4; a shorter prefix holds IPv6 as well, and IPv4 is never asked as IPv6.
  const mapped = most === 128 && bits >= 96 && isMappedV4(ip.bytes, 0);
  return mapped ? masked(ip.bytes.subarray(12), bits - 96) : masked(ip.bytes, bits);
}

/** People write 10.1.2.3/8 and mean 10.0.0.0/8: what lies behind the prefix says nothing. */
function masked(bytes: Uint8Array, bits: number): Range {
  const kept = bytes.slice();
  for (let i = 0; i < kept.length; i++) kept[i] &= 0xff00 >> Math.min(8, Math.max(0, bits - i * 8));
  return { bytes: kept, bits };
}

function inRange(bytes: Uint8Array, range: Range): boolean {
  if (bytes.length !== range.bytes.length) return false;
  const whole = range.bits >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== range.bytes[i]) return false;
  const rest = range.bits & 7;
  return rest === 0 || (bytes[whole] & (0xff00 >> rest)) === range.bytes[whole];
}

/** An IPv4 address in IPv6's clothes is asked for as IPv4. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.length === 16 && isMappedV4(bytes, 0) ? bytes.subarray(12) : bytes;
}

function showRange({ bytes, bits }: Range): string {
  const address = bytes.length === 4 ? formatV4(bytes, 0) : formatV6(bytes, 0);
  return bits === bytes.length * 8 ? address : `${address}/${bits}`;
}

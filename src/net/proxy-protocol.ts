/**
 * The PROXY protocol, versions 1 and 2: what a proxy that only passes bytes on (HAProxy, an AWS or Google load balancer,
 * stunnel) says about its client before the client's first byte. Specification: HAProxy's doc/proxy-protocol.txt, whose
 * sections are cited.
 *
 * Where the header is expected it is required: guessing whether it is there would let any client name its own address
 * (section 2). So what does not begin as a header begins is refused at its first byte that differs. Nothing is read
 * before the header is whole; it is at most 107 bytes in version 1 (section 2.1), and `MAX_PROXY_HEADER` in version 2.
 */
import type { NetAddr, UnixAddr } from "./address.ts";
import { formatV4, formatV6, isMappedV4, parseIp } from "./ip.ts";

/** Results of `parse` that are no length. */
export const PROXY_INCOMPLETE = 0;
export const PROXY_MALFORMED = -1;

/**
 * The most bytes of a header that are waited for. Version 2 could have 65,551; senders keep it below one segment
 * (section 2.2), nginx takes 4,096 and so do we.
 */
export const MAX_PROXY_HEADER = 4096;
const MAX_V1 = 107;

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V1 = new TextEncoder().encode("PROXY ");
const V2_HEAD = 16;
const TYPE_CRC32C = 0x03;
const CR = 0x0d;
const LF = 0x0a;

/** Who a header says is at the other end. */
export type ProxySource =
  /** The proxy itself, its health check say (LOCAL): the connection's own addresses hold. */
  | { readonly kind: "local" }
  /** Somebody whom the proxy can't name (UNKNOWN, UNSPEC, a datagram protocol): those hold as well, for want of better. */
  | { readonly kind: "unknown" }
  | {
      readonly kind: "proxied";
      readonly source: NetAddr | UnixAddr;
      readonly destination: NetAddr | UnixAddr;
    };

const LOCAL: ProxySource = { kind: "local" };
const UNKNOWN: ProxySource = { kind: "unknown" };

/** Reads headers, one after the other: results are its fields, valid until the next `parse`. */
export class ProxyParser {
  /** Of the last header that was whole. */
  client: ProxySource = UNKNOWN;
  /** Why the last one was refused. */
  reason = "";

  /**
   * Parses the header in `bytes[start, end)`: its length, PROXY_INCOMPLETE while it may still become one (call again
   * with the same bytes and more), or PROXY_MALFORMED. The bytes are only looked at.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    if (start >= end) return PROXY_INCOMPLETE;
    if (bytes[start] === SIGNATURE[0]) {
      if (!begins(bytes, start, end, SIGNATURE)) return this.#refuse("no PROXY header before the first byte");
      return this.#v2(bytes, start, end);
    }
    if (!begins(bytes, start, end, V1)) return this.#refuse("no PROXY header before the first byte");
    return this.#v1(bytes, start, end);
  }

  /** Section 2.1: one line. */
  #v1(bytes: Uint8Array, start: number, end: number): number {
    const limit = Math.min(end, start + MAX_V1);
    let at = start;
    while (at < limit && bytes[at] !== CR && bytes[at] !== LF) at++;
    if (at === limit || (at + 1 === limit && bytes[at] === CR)) {
      return limit - start < MAX_V1 ? PROXY_INCOMPLETE : this.#refuse("the PROXY line is longer than 107 bytes");
    }
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#refuse("the PROXY line does not end in CRLF");
    const words = String.fromCharCode(...bytes.subarray(start, at)).split(" ");
    const length = at + 2 - start;
    if (words[1] === "UNKNOWN") {
      // Whatever follows is to be ignored.
      this.client = UNKNOWN;
      return length;
    }
    if (words[1] !== "TCP4" && words[1] !== "TCP6") return this.#refuse("unknown protocol in the PROXY line");
    if (words.length !== 6) return this.#refuse("malformed PROXY line");
    const source = textAddress(words[1], words[2], words[4]);
    const destination = textAddress(words[1], words[3], words[5]);
    if (source === undefined || destination === undefined) return this.#refuse("malformed address in the PROXY line");
    this.client = { kind: "proxied", source, destination };
    return length;
  }

  /** Section 2.2: sixteen bytes, addresses, then type-length-values. */
  #v2(bytes: Uint8Array, start: number, end: number): number {
    const at = start + SIGNATURE.length;
    // Each byte is refused as soon as it can't be right.
    if (at < end && bytes[at] !== 0x20 && bytes[at] !== 0x21) {
      return this.#refuse(bytes[at] >> 4 === 2 ? "unknown PROXY command" : "PROXY version other than 2");
    }
    const family = bytes[at + 1] >> 4;
    const protocol = bytes[at + 1] & 0xf;
    // LOCAL's family is ignored.
    if (at + 1 < end && bytes[at] === 0x21 && (family > 3 || protocol > 2))
      return this.#refuse("unknown PROXY address family or protocol");
    if (end - start < V2_HEAD) return PROXY_INCOMPLETE;
    const length = V2_HEAD + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (length > MAX_PROXY_HEADER)
      return this.#refuse(`PROXY header of ${length} bytes, ${MAX_PROXY_HEADER} is the most`);
    if (end - start < length) return PROXY_INCOMPLETE;
    if (bytes[at] === 0x20) {
      // The block is to be dropped, "including the family which is ignored".
      this.client = LOCAL;
      return length;
    }
    if (family === 0 || protocol === 0) {
      this.client = UNKNOWN;
      return length;
    }
    const size = family === 1 ? 12 : family === 2 ? 36 : 216;
    if (length < V2_HEAD + size) return this.#refuse("PROXY header too short for its addresses");
    const addresses = start + V2_HEAD;
    const wrong = checkValues(bytes, start, addresses + size, start + length);
    if (wrong !== undefined) return this.#refuse(wrong);
    // A datagram's client over a stream: nothing that we can serve, so none that we could name (section 2.2 allows it).
    if (protocol === 2) this.client = UNKNOWN;
    else if (family === 1) this.client = binary(bytes, addresses, 4);
    else if (family === 2) this.client = binary(bytes, addresses, 16);
    else {
      const source = unixAddress(bytes, addresses);
      this.client = { kind: "proxied", source, destination: unixAddress(bytes, addresses + 108) };
    }
    return length;
  }

  #refuse(reason: string): number {
    this.reason = reason;
    return PROXY_MALFORMED;
  }
}

/** Whether `bytes[start, end)` begins with `wanted`, as far as it goes. */
function begins(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  const length = Math.min(end - start, wanted.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

function textAddress(family: string, host: string, port: string): NetAddr | undefined {
  const ip = parseIp(host);
  if (ip === undefined || ip.zone !== "" || host.startsWith("[")) return undefined;
  if (ip.bytes.length !== (family === "TCP4" ? 4 : 16)) return undefined;
  if (!/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65535) return undefined;
  return netAddress(ip.bytes, 0, Number(port));
}

function binary(bytes: Uint8Array, at: number, size: 4 | 16): ProxySource {
  const ports = at + 2 * size;
  const address = (from: number, port: number): NetAddr =>
    netAddress(bytes.subarray(from, from + size), 0, (bytes[port] << 8) | bytes[port + 1]);
  return { kind: "proxied", source: address(at, ports), destination: address(at + size, ports + 2) };
}

/** An IPv4 client of a dual-stack proxy is IPv4, as everywhere here (address.ts). */
function netAddress(bytes: Uint8Array, at: number, port: number): NetAddr {
  const v4 = bytes.length === 4;
  const hostname = v4 ? formatV4(bytes, at) : isMappedV4(bytes, at) ? formatV4(bytes, at + 12) : formatV6(bytes, at);
  return { transport: "tcp", hostname, port };
}

/** sun_path: up to its NUL, or, for an abstract name, behind its first. */
function unixAddress(bytes: Uint8Array, at: number): UnixAddr {
  const path = bytes.subarray(at, at + 108);
  const abstract = path[0] === 0;
  const name = abstract ? path.subarray(1) : path;
  const nul = name.indexOf(0);
  const text = new TextDecoder().decode(nul < 0 ? name : name.subarray(0, nul));
  return { transport: "unix", path: abstract && text !== "" ? `\0${text}` : text };
}

/** The type-length-values must fill the header exactly; of them only a checksum concerns us. The sentence if not. */
function checkValues(bytes: Uint8Array, start: number, from: number, end: number): string | undefined {
  let checksumAt = 0;
  for (let at = from; at < end; ) {
    const next = at + 3 > end ? end + 1 : at + 3 + ((bytes[at + 1] << 8) | bytes[at + 2]);
    if (next > end) return "malformed values in the PROXY header";
    if (bytes[at] === TYPE_CRC32C) {
      if (next - at !== 7 || checksumAt !== 0) return "malformed checksum in the PROXY header";
      checksumAt = at + 3;
    }
    at = next;
  }
  if (checksumAt === 0) return undefined;
  const given = new DataView(bytes.buffer, bytes.byteOffset + checksumAt, 4).getUint32(0);
  return crc32c(bytes, start, end, checksumAt) === given ? undefined : "wrong checksum in the PROXY header";
}

let crcTable: Uint32Array | undefined;

/** RFC 9260 appendix A, with the four bytes at `hole` taken for 0. */
function crc32c(bytes: Uint8Array, start: number, end: number, hole: number): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1;
    return n;
  });
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) {
    const byte = i >= hole && i < hole + 4 ? 0 : bytes[i];
    crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * A strict HTTP/1.1 request head parser (RFC 9112, RFC 9110) that runs straight over the poller's lent bytes.
 *
 * It never guesses. Whatever two parties could read differently is refused: bare CR or LF, obs-fold, space before a
 * colon, a Content-Length that is repeated or not digits, Content-Length beside Transfer-Encoding, a transfer coding
 * that is not exactly "chunked", a missing, repeated or invalid Host. One parser serves a whole thread: results are
 * its fields, valid until the next `parse`, so a request costs no object here.
 */

import { CLOSE, connectionOptions, contentLength, isWord, KEEP_ALIVE, TOKEN, VALUE } from "./field-value.ts";

/** Results of `parse` below 100; anything else is the status to refuse with. */
export const COMPLETE = 0;
export const INCOMPLETE = 1;

/**
 * What a request target may hold up to its "?", and from there on: the characters of RFC 3986, and what browsers and
 * curl send unencoded all the same. RFC 9112, 3.2 asks to refuse others: "<" and ">" anywhere; in a path, "`", and "\",
 * which URL parsers take for "/" and access lists don't. A fragment is never sent.
 */
const PATH = new Uint8Array(256);
const QUERY = new Uint8Array(256);
for (let c = 0x21; c < 0x7f; c++) {
  QUERY[c] = "#<>".includes(String.fromCharCode(c)) ? 0 : 1;
  PATH[c] = "#<>?\\`".includes(String.fromCharCode(c)) ? 0 : 1;
}
/** RFC 3986, 3.2.2: reg-name and IP-literal, and the port's digits. */
const HOST = new Uint8Array(256);
for (const c of "!$%&'()*+,-.;=_~:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  HOST[c.charCodeAt(0)] = 1;
}

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;
const QUESTION_MARK = 0x3f;

/** A request line or field line longer than this is refused (414, 431) long before the whole head's limit. */
const MAX_TARGET = 64 * 1024;

export interface HeadLimits {
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
}

export class HeadParser {
  /** Index of the request line's first byte, of the target's, of the first field line's, and behind the head. */
  start = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  fieldsStart = 0;
  end = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minor = 1;
  hostStart = 0;
  hostEnd = 0;
  hasHost = false;
  /** -1 when there is none. */
  contentLength = -1;
  chunked = false;
  /** Whether the connection persists after this request (RFC 9112, 9.3). */
  keepAlive = true;
  expectContinue = false;
  /** Why a head was refused, for the answer's body. */
  reason = "";

  readonly #limits: HeadLimits;
  #bytes: Uint8Array = new Uint8Array(0);
  /** What Connection says: bits of CLOSE and KEEP_ALIVE. */
  #options = 0;
  #codings = 0;
  #webSocket = false;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Parses one head from `bytes[start, end)`: COMPLETE, INCOMPLETE, or the status code to refuse it with. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.#bytes = bytes;
    let i = start;
    // One empty line before a request line is ignored (RFC 9112, 2.2): old clients send it after a body.
    if (i < end && bytes[i] === CR) {
      if (i + 1 === end) return INCOMPLETE;
      if (bytes[i + 1] !== LF) return this.#refuse(400, "bare CR");
      i += 2;
    }
    this.start = i;
    while (i < end && TOKEN[bytes[i]] === 1) i++;
    if (i === end) return this.#unfinished(start, end);
    if (i === this.start || bytes[i] !== SP) return this.#refuse(400, "malformed method");
    this.methodEnd = i;
    this.targetStart = ++i;
    while (i < end && PATH[bytes[i]] === 1) i++;
    if (bytes[i] === QUESTION_MARK) while (i < end && QUERY[bytes[i]] === 1) i++;
    if (i - this.targetStart > MAX_TARGET) return this.#refuse(414, "request target too long");
    if (i === end) return this.#unfinished(start, end);
    if (i === this.targetStart || bytes[i] !== SP) return this.#refuse(400, "malformed request target");
    this.targetEnd = i;
    i++;
    if (end - i < 10) return this.#versionPrefix(i, end) ? INCOMPLETE : this.#refuse(400, "malformed version");
    const version = this.#version(i);
    if (version !== COMPLETE) return version;
    i += 10;
    this.fieldsStart = i;

    this.hasHost = false;
    this.contentLength = -1;
    this.chunked = false;
    this.expectContinue = false;
    this.#options = 0;
    this.#codings = 0;
    this.#webSocket = false;
    let count = 0;
    for (;;) {
      if (i === end) return this.#unfinished(start, end);
      if (bytes[i] === CR) {
        if (i + 1 === end) return this.#unfinished(start, end);
        if (bytes[i + 1] !== LF) return this.#refuse(400, "bare CR");
        this.end = i + 2;
        if (this.end - start > this.#limits.maxHeaderBytes) return this.#refuse(431, "request head too large");
        return this.#finish();
      }
      if (++count > this.#limits.maxHeaderCount) return this.#refuse(431, "too many header fields");
      const name = i;
      while (i < end && TOKEN[bytes[i]] === 1) i++;
      if (i === end) return this.#unfinished(start, end);
      if (i === name || bytes[i] !== COLON) return this.#refuse(400, "malformed header field name");
      const nameEnd = i++;
      while (i < end && (bytes[i] === SP || bytes[i] === HTAB)) i++;
      const value = i;
      while (i < end && VALUE[bytes[i]] === 1) i++;
      if (i + 1 >= end) {
        if (i < end && bytes[i] !== CR) return this.#refuse(400, "malformed header field value");
        return this.#unfinished(start, end);
      }
      if (bytes[i] !== CR || bytes[i + 1] !== LF) return this.#refuse(400, "malformed header field value");
      // Names that matter here have these lengths; the switch keeps all others off the comparisons.
      switch (nameEnd - name) {
        case 4:
        case 6:
        case 7:
        case 10:
        case 14:
        case 17: {
          let valueEnd = i;
          while (valueEnd > value && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
          const status = this.#field(name, nameEnd, value, valueEnd);
          if (status !== COMPLETE) return status;
        }
      }
      i += 2;
    }
  }

  #field(name: number, nameEnd: number, value: number, end: number): number {
    switch (nameEnd - name) {
      case 4:
        return isWord(this.#bytes, name, nameEnd, "host") ? this.#host(value, end) : COMPLETE;
      case 6:
        if (!isWord(this.#bytes, name, nameEnd, "expect")) return COMPLETE;
        // RFC 9110, 10.1.1: the only expectation there is.
        if (!isWord(this.#bytes, value, end, "100-continue")) return this.#refuse(417, "unknown expectation");
        this.expectContinue = true;
        return COMPLETE;
      case 7:
        if (isWord(this.#bytes, name, nameEnd, "upgrade") && isWord(this.#bytes, value, end, "websocket")) {
          this.#webSocket = true;
        }
        return COMPLETE;
      case 10:
        if (isWord(this.#bytes, name, nameEnd, "connection")) {
          this.#options |= connectionOptions(this.#bytes, value, end);
        }
        return COMPLETE;
      case 14:
        return isWord(this.#bytes, name, nameEnd, "content-length") ? this.#contentLength(value, end) : COMPLETE;
      default:
        if (!isWord(this.#bytes, name, nameEnd, "transfer-encoding")) return COMPLETE;
        if (++this.#codings > 1) return this.#refuse(400, "repeated Transfer-Encoding");
        if (!isWord(this.#bytes, value, end, "chunked")) return this.#transferCoding(value, end);
        this.chunked = true;
        return COMPLETE;
    }
  }

  #finish(): number {
    if (this.minor === 1 && !this.hasHost) return this.#refuse(400, "missing Host");
    if (this.chunked) {
      // RFC 9112, 6.1: either both readings are refused, or a smuggled request is served.
      if (this.contentLength >= 0) return this.#refuse(400, "both Content-Length and Transfer-Encoding");
      if (this.minor === 0) return this.#refuse(400, "Transfer-Encoding in HTTP/1.0");
    }
    // A proxy that has seen an upgrade takes for frames what would be a body here, or the next request.
    if (this.#webSocket && (this.chunked || this.contentLength > 0)) {
      return this.#refuse(400, "a WebSocket handshake with a body");
    }
    this.keepAlive = this.minor === 1 ? (this.#options & CLOSE) === 0 : this.#options === KEEP_ALIVE;
    if (this.minor === 0) this.expectContinue = false; // RFC 9110, 10.1.1
    return this.#target();
  }

  /** The four forms of a request target (RFC 9112, 3.2). */
  #target(): number {
    const bytes = this.#bytes;
    const first = bytes[this.targetStart];
    const connect = this.#isExactly(this.start, this.methodEnd, "CONNECT");
    if (connect) return this.#refuse(501, "CONNECT is not supported");
    if (first === 0x2f) return COMPLETE;
    if (first === 0x2a && this.targetEnd - this.targetStart === 1) {
      if (this.#isExactly(this.start, this.methodEnd, "OPTIONS")) return COMPLETE;
      return this.#refuse(400, 'target "*" without OPTIONS');
    }
    return this.#absoluteForm();
  }

  /** `http://authority/path`: its authority replaces Host (RFC 9112, 3.2.2). */
  #absoluteForm(): number {
    let at = this.targetStart;
    if (isWord(this.#bytes, at, at + 7, "http://")) at += 7;
    else if (isWord(this.#bytes, at, at + 8, "https://")) at += 8;
    else return this.#refuse(400, "malformed request target");
    let end = at;
    while (end < this.targetEnd && this.#bytes[end] !== 0x2f && this.#bytes[end] !== 0x3f) end++;
    this.hasHost = false;
    return this.#host(at, end);
  }

  #host(value: number, end: number): number {
    const bytes = this.#bytes;
    if (this.hasHost) return this.#refuse(400, "repeated Host");
    this.hasHost = true;
    this.hostStart = value;
    this.hostEnd = end;
    // An http URI without a host is invalid (RFC 9110, 4.2.1).
    if (value === end) return this.#refuse(400, "empty Host");
    let plain = true;
    let colon = -1;
    for (let i = value; i < end; i++) {
      const c = bytes[i];
      if (HOST[c] === 0) return this.#refuse(400, "invalid Host");
      if (c === COLON) {
        if (colon >= 0) plain = false; // IPv6 literal, or nonsense
        colon = i;
      } else if (c === 0x25 || c === 0x5b || c === 0x5d) plain = false;
    }
    const nameEnd = colon < 0 ? end : colon;
    // A last label that starts with a digit may be an IPv4 address, which has rules of its own.
    let label = nameEnd;
    while (label > value && bytes[label - 1] !== 0x2e) label--;
    // Behind a last dot there is none, though the label before it may be one all the same.
    if (label === nameEnd) plain = false;
    else if (bytes[label] >= 0x30 && bytes[label] <= 0x39 && !this.#dottedQuad(value, nameEnd)) plain = false;
    if (plain && nameEnd > value && this.#port(colon, end)) return COMPLETE;
    const host = String.fromCharCode(...bytes.subarray(value, end));
    if (host.endsWith(":") || !URL.canParse(`http://${host}/`)) return this.#refuse(400, "invalid Host");
    return COMPLETE;
  }

  #port(colon: number, end: number): boolean {
    if (colon < 0) return true;
    let port = 0;
    for (let i = colon + 1; i < end; i++) {
      const digit = this.#bytes[i] - 0x30;
      if (digit < 0 || digit > 9) return false;
      port = port * 10 + digit;
      if (port > 65535) return false;
    }
    return end > colon + 1;
  }

  #dottedQuad(at: number, end: number): boolean {
    let dots = 0;
    let octet = -1;
    for (let i = at; i < end; i++) {
      const c = this.#bytes[i];
      if (c === 0x2e) {
        if (octet < 0) return false;
        dots++;
        octet = -1;
      } else if (c >= 0x30 && c <= 0x39) {
        if (octet === 0) return false; // a leading zero: octal to some
        octet = (octet < 0 ? 0 : octet * 10) + c - 0x30;
        if (octet > 255) return false;
      } else return false;
    }
    return dots === 3 && octet >= 0;
  }

  /** RFC 9112, 6.3: a list or a repetition of the same length may be accepted; we refuse both. */
  #contentLength(value: number, end: number): number {
    if (this.contentLength >= 0) return this.#refuse(400, "repeated Content-Length");
    const length = contentLength(this.#bytes, value, end);
    if (length < 0) return this.#refuse(400, "invalid Content-Length");
    this.contentLength = length;
    return COMPLETE;
  }

  /** RFC 9112, 6.1: a coding we do not know is 501; one that does not end in chunked has no end: 400. */
  #transferCoding(value: number, end: number): number {
    const value_ = String.fromCharCode(...this.#bytes.subarray(value, Math.min(end, value + 256))).toLowerCase();
    const codings = value_.split(/[\t ]*,[\t ]*/);
    const wellFormed = codings.every((coding) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(coding));
    const chunkedOnce = codings.filter((coding) => coding === "chunked").length === 1;
    if (wellFormed && chunkedOnce && codings.at(-1) === "chunked") {
      return this.#refuse(501, "transfer coding not supported");
    }
    return this.#refuse(400, "invalid Transfer-Encoding");
  }

  #version(i: number): number {
    const bytes = this.#bytes;
    if (
      bytes[i] !== 0x48 || // "HTTP/"
      bytes[i + 1] !== 0x54 ||
      bytes[i + 2] !== 0x54 ||
      bytes[i + 3] !== 0x50 ||
      bytes[i + 4] !== 0x2f ||
      bytes[i + 6] !== 0x2e ||
      bytes[i + 8] !== CR ||
      bytes[i + 9] !== LF
    ) {
      return this.#refuse(400, "malformed version");
    }
    const major = bytes[i + 5] - 0x30;
    const minor = bytes[i + 7] - 0x30;
    if (major < 0 || major > 9 || minor < 0 || minor > 9) return this.#refuse(400, "malformed version");
    if (major !== 1 || minor > 1) return this.#refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    this.minor = minor;
    return COMPLETE;
  }

  #versionPrefix(i: number, end: number): boolean {
    const wanted = "HTTP/0.0\r\n";
    for (let k = 0; i + k < end; k++) {
      const c = this.#bytes[i + k];
      const digit = c >= 0x30 && c <= 0x39;
      if (k === 5 || k === 7 ? !digit : c !== wanted.charCodeAt(k)) return false;
    }
    return true;
  }

  #unfinished(start: number, end: number): number {
    if (end - start > this.#limits.maxHeaderBytes) return this.#refuse(431, "request head too large");
    return INCOMPLETE;
  }

  #isExactly(at: number, end: number, word: string): boolean {
    if (end - at !== word.length) return false;
    for (let k = 0; k < word.length; k++) if (this.#bytes[at + k] !== word.charCodeAt(k)) return false;
    return true;
  }

  #refuse(status: number, reason: string): number {
    this.reason = reason;
    return status;
  }
}

/**
 * A strict HTTP/1.1 response head parser (RFC 9112, RFC 9110) that runs straight over the poller's lent bytes.
 *
 * As the server's (src/http/parser.ts) it never guesses: where a message ends must not be a matter of opinion, or the
 * next response on the connection is somebody else's. One parser serves a whole thread: results are its fields, valid
 * until the next `parse`, so a response costs no object here.
 */

import { CLOSE, connectionOptions, contentLength, isWord, KEEP_ALIVE, TOKEN, VALUE } from "../http/field-value.ts";

export const COMPLETE = 0;
export const INCOMPLETE = 1;
/** `reason` says why. */
export const MALFORMED = 2;

/** Bytes and fields of a head; as with servers, far more than any needs. */
export const MAX_HEAD = 256 * 1024;
const MAX_FIELDS = 512;

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;
const VERSION = "HTTP/1.";

export class ResponseParser {
  status = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minor = 1;
  /** Index of the reason phrase, and behind it; of the first field line; behind the head. */
  reasonStart = 0;
  reasonEnd = 0;
  fieldsStart = 0;
  end = 0;
  /** -1 when there is none. */
  contentLength = -1;
  chunked = false;
  /** Whether the connection persists after this response (RFC 9112, 9.3). */
  keepAlive = true;
  /** Milliseconds that the server says it keeps an idle connection (Keep-Alive: timeout=5); -1 when it does not. */
  keptFor = -1;
  /** Bounds of the values of Content-Encoding and Location; 0 and 0 where there is none. */
  encodingStart = 0;
  encodingEnd = 0;
  located = false;
  reason = "";

  #bytes: Uint8Array = new Uint8Array(0);
  /** What Connection says: bits of CLOSE and KEEP_ALIVE. */
  #options = 0;
  #codings = 0;

  /** Parses one head from `bytes[start, end)`. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.#bytes = bytes;
    const known = Math.min(end - start, VERSION.length);
    for (let k = 0; k < known; k++) {
      if (bytes[start + k] !== VERSION.charCodeAt(k)) return this.#malformed("it does not begin with HTTP/1.");
    }
    // "HTTP/1.1 200" and one byte more tell what follows.
    if (end - start < 13) return INCOMPLETE;
    const minor = bytes[start + 7] - 0x30;
    const hundreds = bytes[start + 9] - 0x30;
    const tens = bytes[start + 10] - 0x30;
    const ones = bytes[start + 11] - 0x30;
    if (minor !== 0 && minor !== 1) return this.#malformed("its version is neither HTTP/1.1 nor HTTP/1.0");
    if (bytes[start + 8] !== SP || hundreds < 1 || hundreds > 9 || !isDigit(tens) || !isDigit(ones)) {
      return this.#malformed("its status code is not three digits");
    }
    this.minor = minor;
    this.status = hundreds * 100 + tens * 10 + ones;
    let i = start + 12;
    // The space before an empty reason phrase is missing in what many servers send (RFC 9112, 4 wants it).
    if (bytes[i] === SP) i++;
    else if (bytes[i] !== CR) return this.#malformed("its status code is not three digits");
    this.reasonStart = i;
    while (i < end && VALUE[bytes[i]] === 1) i++;
    if (i + 1 >= end)
      return i < end && bytes[i] !== CR ? this.#malformed("its status line is malformed") : this.#more(start, end);
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return this.#malformed("its status line is malformed");
    this.reasonEnd = i;
    i += 2;
    this.fieldsStart = i;
    this.contentLength = -1;
    this.chunked = false;
    this.keptFor = -1;
    this.encodingStart = 0;
    this.encodingEnd = 0;
    this.located = false;
    this.#options = 0;
    this.#codings = 0;
    let count = 0;
    for (;;) {
      if (i === end) return this.#more(start, end);
      if (bytes[i] === CR) {
        if (i + 1 === end) return this.#more(start, end);
        if (bytes[i + 1] !== LF) return this.#malformed("a line in its head ends in CR without LF");
        this.end = i + 2;
        return this.end - start > MAX_HEAD ? this.#tooLarge() : this.#finish();
      }
      if (++count > MAX_FIELDS) return this.#malformed(`it has more than ${MAX_FIELDS} header fields`);
      const name = i;
      while (i < end && TOKEN[bytes[i]] === 1) i++;
      if (i === end) return this.#more(start, end);
      if (i === name && (bytes[i] === SP || bytes[i] === HTAB)) {
        // RFC 9112, 5.2: whether the line belongs to the field before it is what two readers disagree about.
        return this.#malformed("a header field of it is folded over two lines");
      }
      if (i === name || bytes[i] !== COLON) return this.#malformed("the name of a header field is malformed");
      const nameEnd = i++;
      while (i < end && (bytes[i] === SP || bytes[i] === HTAB)) i++;
      const value = i;
      while (i < end && VALUE[bytes[i]] === 1) i++;
      if (i + 1 >= end) {
        if (i < end && bytes[i] !== CR) return this.#malformed("the value of a header field is malformed");
        return this.#more(start, end);
      }
      if (bytes[i] !== CR || bytes[i + 1] !== LF) return this.#malformed("the value of a header field is malformed");
      // Names that matter here have these lengths; the switch keeps all others off the comparisons.
      switch (nameEnd - name) {
        case 8:
        case 10:
        case 14:
        case 16:
        case 17: {
          let valueEnd = i;
          while (valueEnd > value && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
          if (!this.#field(name, nameEnd, value, valueEnd)) return MALFORMED;
        }
      }
      i += 2;
    }
  }

  #field(name: number, nameEnd: number, value: number, end: number): boolean {
    switch (nameEnd - name) {
      case 8:
        if (isWord(this.#bytes, name, nameEnd, "location")) this.located = true;
        return true;
      case 10:
        if (isWord(this.#bytes, name, nameEnd, "connection")) {
          this.#options |= connectionOptions(this.#bytes, value, end);
        } else if (isWord(this.#bytes, name, nameEnd, "keep-alive")) this.#kept(value, end);
        return true;
      case 14:
        return isWord(this.#bytes, name, nameEnd, "content-length") ? this.#length(value, end) : true;
      case 16:
        if (!isWord(this.#bytes, name, nameEnd, "content-encoding")) return true;
        // Several lines are one list (RFC 9110, 5.3): whoever decodes reads all of them.
        this.encodingStart = value;
        this.encodingEnd = end;
        return true;
      default:
        if (!isWord(this.#bytes, name, nameEnd, "transfer-encoding")) return true;
        if (++this.#codings > 1) return this.#no("it has more than one Transfer-Encoding");
        if (!isWord(this.#bytes, value, end, "chunked")) return this.#no("its Transfer-Encoding is not chunked");
        this.chunked = true;
        return true;
    }
  }

  #finish(): number {
    if (this.chunked) {
      // RFC 9112, 6.3: either both readings are refused, or a smuggled response is believed.
      if (this.contentLength >= 0) return this.#malformed("it has both Content-Length and Transfer-Encoding");
      if (this.minor === 0) return this.#malformed("it has a Transfer-Encoding in HTTP/1.0");
    }
    this.keepAlive = this.minor === 1 ? (this.#options & CLOSE) === 0 : this.#options === KEEP_ALIVE;
    return COMPLETE;
  }

  /** A list of parameters (RFC 2068, 19.7.1.1), of which nothing but the time matters, and nothing depends on it. */
  #kept(value: number, end: number): void {
    const said = String.fromCharCode(...this.#bytes.subarray(value, Math.min(end, value + 64)));
    const seconds = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i.exec(said)?.[1];
    if (seconds !== undefined) this.keptFor = Number(seconds) * 1000;
  }

  /** RFC 9112, 6.3: a list or a repetition of the same length may be accepted; we refuse both. */
  #length(value: number, end: number): boolean {
    if (this.contentLength >= 0) return this.#no("it has more than one Content-Length");
    const length = contentLength(this.#bytes, value, end);
    if (length < 0) return this.#no("its Content-Length is not a number");
    this.contentLength = length;
    return true;
  }

  #more(start: number, end: number): number {
    return end - start > MAX_HEAD ? this.#tooLarge() : INCOMPLETE;
  }

  #tooLarge(): number {
    return this.#malformed(`its head is larger than ${MAX_HEAD / 1024} KiB`);
  }

  #malformed(reason: string): number {
    this.reason = reason;
    return MALFORMED;
  }

  #no(reason: string): boolean {
    this.reason = reason;
    return false;
  }
}

function isDigit(value: number): boolean {
  return value >= 0 && value <= 9;
}

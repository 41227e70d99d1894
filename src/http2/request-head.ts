/**
 * A request's head from its header fields (RFC 9113, 8.2 and 8.3), as strict as the parser of HTTP/1.1: what is malformed is
 * no request. The result is a head as HTTP/1.1's, one string that is read lazily (`src/fetch/head.ts`), with `:authority`
 * as its Host. One serves a whole thread: results are its fields, valid until the next `begin`.
 */
import { TOKEN } from "../http/field-value.ts";
import {
  AUTHORITY,
  CONTENT_LENGTH,
  EXPECT,
  type Field,
  FORBIDDEN,
  HOST,
  MALFORMED,
  METHOD,
  PATH,
  PLAIN,
  PRIORITY,
  PROTOCOL,
  SCHEME,
  STRANGE,
  TE,
} from "./fields.ts";
import type { FieldSink } from "./hpack-decoder.ts";

/** The same characters as in a target of HTTP/1.1 (`src/http/parser.ts`). */
const TARGET = /^\/[!"$-;=@-[\]^_a-z{|}~]*(?:\?[!-"$-;=?-~]*)?$/;
const LONGEST_TARGET = 64 * 1024;
/** RFC 3986, 3.2.2. User names are not for http (RFC 9113, 8.3.1). */
const AUTHORITY_CHARS = /^[!$%&'()*+,\-.;=_~:[\]0-9a-z]+$/i;
const PLAIN_AUTHORITY = /^(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*(?::[1-9]\d{0,3})?$/;
/** What is behind most requests. */
export const NO_TRAILERS: readonly string[] = [];
const DIGITS = /^\d{1,16}$/;

export class RequestHead implements FieldSink {
  method = "";
  /** As the path was sent. */
  target = "";
  authority = "";
  head = "";
  targetStart = 0;
  fieldsStart = 0;
  hostStart = 0;
  /** -1 when there is none. */
  contentLength = -1;
  expectContinue = false;
  /** What the stream is to carry, instead of a request's body (RFC 8441, 4); empty with ordinary requests. */
  protocol = "";
  /** Of the Priority field. */
  priority: string | undefined;
  /** It breaks a rule: a stream error (RFC 9113, 8.1.1). */
  malformed = false;
  /** 0, or the status to refuse it with. */
  refused = 0;
  reason = "";
  /** As RFC 9113, 6.5.2 counts them. */
  size = 0;
  /** Where it was trailers that came: name, value, name, value. */
  trailers: readonly string[] = NO_TRAILERS;

  #maxBytes = 0;
  #maxCount = 0;
  #scheme = "";
  #path = "";
  #hasPath = false;
  #hasAuthority = false;
  #host: string | undefined;
  #lines = "";
  #count = 0;
  #regular = false;
  #kept: string[] | undefined;
  /** The last authority that was looked at, and found well: nearly always the next one. */
  #known = "";

  /** `trailers`: no request, but what may come behind one (RFC 9113, 8.1). */
  begin(maxBytes: number, maxCount: number, trailers: boolean): void {
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
    this.#kept = trailers ? [] : undefined;
    this.method = this.#scheme = this.#path = this.authority = this.#lines = this.reason = "";
    this.protocol = "";
    this.#hasPath = this.#hasAuthority = this.#regular = this.malformed = this.expectContinue = false;
    this.#host = this.priority = undefined;
    this.contentLength = -1;
    this.refused = this.size = this.#count = 0;
  }

  field(field: Field): void {
    this.size += field.size;
    if (this.size > this.#maxBytes) return this.#refuse(431, "request head too large");
    const { kind, value } = field;
    if (kind === PLAIN) {
      this.#regular = true;
      this.#append(field);
      return;
    }
    switch (kind) {
      case METHOD:
        if (this.method !== "" || value === "" || !this.#mayBePseudo()) return this.#malform();
        this.method = value;
        return;
      case SCHEME:
        if (this.#scheme !== "" || value === "" || !this.#mayBePseudo()) return this.#malform();
        this.#scheme = value;
        return;
      case AUTHORITY:
        if (this.#hasAuthority || !this.#mayBePseudo()) return this.#malform();
        this.#hasAuthority = true;
        this.authority = value;
        return;
      case PATH:
        if (this.#hasPath || value === "" || !this.#mayBePseudo()) return this.#malform();
        this.#hasPath = true;
        this.#path = value;
        return;
      case PROTOCOL:
        if (this.protocol !== "" || value === "" || !this.#mayBePseudo()) return this.#malform();
        this.protocol = value;
        return;
      case STRANGE:
      case MALFORMED:
      case FORBIDDEN:
        return this.#malform();
    }
    this.#regular = true;
    switch (kind) {
      case HOST:
        // Its place in the head is the first, and :authority's.
        if (this.#host !== undefined) return this.#malform();
        this.#host = value;
        return;
      case CONTENT_LENGTH: {
        const length = DIGITS.test(value) ? Number(value) : -1;
        if (length < 0 || length > Number.MAX_SAFE_INTEGER || this.contentLength >= 0) return this.#malform();
        this.contentLength = length;
        break;
      }
      case TE:
        if (value.toLowerCase() !== "trailers") return this.#malform();
        break;
      case EXPECT:
        if (value.toLowerCase() !== "100-continue") this.#refuse(417, "unknown expectation");
        else this.expectContinue = true;
        break;
      case PRIORITY:
        this.priority = value;
    }
    this.#append(field);
  }

  /** All fields have come. Gives false for a malformed request; `refused` is to be looked at otherwise. */
  finish(): boolean {
    if (this.malformed) return false;
    // As those of HTTP/1.1 are: too much of them is no request.
    if (this.#kept !== undefined) {
      this.trailers = this.#kept;
      return this.refused !== 431;
    }
    // A head that was too large was not looked at to its end.
    if (this.refused === 431) return true;
    const { method } = this;
    if (method === "") return false;
    if (this.protocol !== "") {
      // RFC 8441, 4: CONNECT with all that other requests have.
      if (method !== "CONNECT") return false;
      if (this.protocol !== "websocket") this.#refuse(501, "no other protocol than websocket is supported");
      // Handlers see what asks for the same in HTTP/1.1 (RFC 6455, 4.1).
      this.method = "GET";
      this.#lines += UPGRADE;
    } else if (method === "CONNECT") {
      // 8.5: only a method and an authority.
      if (this.#hasPath || this.#scheme !== "" || !this.#hasAuthority) return false;
      this.#refuse(501, "CONNECT is not supported");
      return true;
    }
    if (this.#scheme === "" || !this.#hasPath) return false;
    if (method !== "GET" && this.protocol === "" && !isToken(method)) return false;
    if (!this.#hasAuthority) {
      if (this.#host === undefined) return false;
      this.authority = this.#host;
    } else if (this.#host !== undefined && this.#host !== this.authority) return false;
    if (this.authority === "") return false;
    this.#checkTarget();
    this.#checkAuthority();
    this.#join();
    return true;
  }

  #checkTarget(): void {
    const path = this.#path;
    if (path.length > LONGEST_TARGET) return this.#refuse(414, "request target too long");
    if (TARGET.test(path)) return;
    if (path !== "*") this.#refuse(400, "malformed request target");
    else if (this.method !== "OPTIONS") this.#refuse(400, 'target "*" without OPTIONS');
  }

  #checkAuthority(): void {
    const { authority } = this;
    if (authority === this.#known) return;
    if (!PLAIN_AUTHORITY.test(authority)) {
      const well = AUTHORITY_CHARS.test(authority) && !authority.endsWith(":") && URL.canParse(`http://${authority}/`);
      if (!well) return this.#refuse(400, "invalid Host");
    }
    this.#known = authority;
  }

  #join(): void {
    const { method } = this;
    this.target = this.#path;
    this.targetStart = method.length + 1;
    this.fieldsStart = this.targetStart + this.#path.length + START.length;
    this.hostStart = this.fieldsStart + 6;
    this.head = `${method} ${this.#path}${START}host: ${this.authority}${this.#lines}`;
  }

  #append(field: Field): void {
    if (++this.#count > this.#maxCount) return this.#refuse(431, "too many header fields");
    if (this.#kept !== undefined) return void this.#kept.push(field.name, field.value);
    this.#lines += field.line;
  }

  /** 8.3: before all others, and never in trailers. */
  #mayBePseudo(): boolean {
    return !this.#regular && this.#kept === undefined;
  }

  #malform(): void {
    this.malformed = true;
  }

  #refuse(status: number, reason: string): void {
    // What is too large stops being kept, whatever else is wrong with it.
    if (status === 431) this.#lines = "";
    if (this.refused !== 0 && status !== 431) return;
    this.refused = status;
    this.reason = reason;
  }
}

const START = " HTTP/2\r\n";
const UPGRADE = "\r\nupgrade: websocket\r\nconnection: Upgrade";

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return true;
}

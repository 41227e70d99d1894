/**
 * A third opinion beside our parser and llhttp: the ABNF of RFC 9110, RFC 9112 and RFC 3986 as regular expressions, and
 * the MUSTs for servers around it. It sees all bytes of a connection at once and is written for being compared with the
 * text of the RFCs, not for speed.
 *
 * It takes what the RFCs let a server take without having to repair anything, no more: lines end in CRLF, a message is
 * framed once, and of the MAYs only those that we use (one empty line before a request line).
 */
import type { Message, Reading } from "./llhttp.ts";

/** RFC 9110, 5.6.2; 5.5 (field-vchar with obs-text, SP and HTAB between). */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*((?:[\\x21-\\x7e\\x80-\\xff](?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)?)[ \\t]*$`); // biome-ignore format: one grammar
/** RFC 9112, 3 and 2.3. */
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([^ ]+) HTTP/([0-9])\\.([0-9])$`);

/** RFC 3986: unreserved, pct-encoded, sub-delims, pchar, and from them the forms of RFC 9112, 3.2. */
const PCHAR = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})";
const ABSOLUTE_PATH = `(?:/${PCHAR}*)+`;
const QUERY = `(?:\\?(?:${PCHAR}|[/?])*)?`;
const ORIGIN_FORM = new RegExp(`^${ABSOLUTE_PATH}${QUERY}$`);
const REG_NAME = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})";
const HOST = `(?:\\[[0-9A-Fa-f:.]+\\]|${REG_NAME}*)`;
const AUTHORITY = `${HOST}(?::[0-9]*)?`;
const HOST_FIELD = new RegExp(`^${AUTHORITY}$`);
/** RFC 9110, 4.2: http and https with an authority that is not empty, and without userinfo. */
const ABSOLUTE_FORM = new RegExp(`^https?://(?!:|/|\\?|$)${AUTHORITY}(?:/${PCHAR}*)*${QUERY}$`, "i");
/**
 * What servers must take beyond that: a URL's path and query as browsers send them (URL Standard, the path and query
 * percent-encode sets leave these as they are). RFC 9112, 3.2 says SHOULD for refusing them.
 */
const BROWSERS_PATH = `(?:${PCHAR}|[%|[\\]^{}"])`;
const BROWSERS_TARGET = new RegExp(`^(?:https?://${AUTHORITY})?(?:/${BROWSERS_PATH}*)*(?:\\?(?:${BROWSERS_PATH}|[/?\\\\\`])*)?$`, "i"); // biome-ignore format: one grammar

/** RFC 9112, 7.1. */
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const EXTENSIONS = `(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*`;
const CHUNK = new RegExp(`^([0-9A-Fa-f]+)${EXTENSIONS}$`);

/** Where the RFC's own grammar is left, so that a test can count it. */
export interface Judged extends Reading {
  /** A target of what browsers send beyond RFC 3986. */
  browserTarget: boolean;
}

/** Reads all requests of a connection. "open" means that more bytes could still make it right. */
export function readByTheRfc(bytes: Buffer): Judged {
  const text = bytes.toString("latin1");
  const judged: Judged = { messages: [], end: "open", reason: "", browserTarget: false };
  const refuse = (reason: string): Judged => {
    judged.end = "refused";
    judged.reason = reason;
    return judged;
  };
  let at = 0;
  /** The next line; undefined when its end has not come, null when what came can't be the begin of one. */
  const line = (): string | undefined => {
    const end = text.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  while (at < text.length) {
    let start = line();
    if (start === "") start = line(); // RFC 9112, 2.2: at least one empty line is ignored
    if (start === undefined) return judged;
    const request = REQUEST_LINE.exec(start);
    if (request === null) return refuse("request-line");
    const [, method, target, major, minor] = request;
    if (major !== "1") return refuse("major version");
    const fields: [string, string][] = [];
    for (let field = line(); field !== ""; field = line()) {
      if (field === undefined) return judged;
      const match = FIELD.exec(field);
      if (match === null) return refuse("field-line");
      fields.push([match[1].toLowerCase(), match[2]]);
    }
    const strict =
      target === "*"
        ? method === "OPTIONS"
        : method === "CONNECT"
          ? HOST_FIELD.test(target)
          : ORIGIN_FORM.test(target) || ABSOLUTE_FORM.test(target);
    if (!strict) {
      if (target === "*" || method === "CONNECT" || !BROWSERS_TARGET.test(target)) return refuse("request-target");
      judged.browserTarget = true;
    }
    const all = (name: string): string[] => fields.filter(([key]) => key === name).map(([, value]) => value);
    // RFC 9112, 3.2: the MUSTs about Host.
    const hosts = all("host");
    if (hosts.length > 1 || (hosts.length === 0 && minor !== "0")) return refuse("Host");
    if (hosts.length === 1 && !HOST_FIELD.test(hosts[0])) return refuse("Host");
    // RFC 9112, 6.1 to 6.3: exactly one framing, and nothing to recover from.
    const lengths = all("content-length");
    const codings = all("transfer-encoding");
    if (lengths.length + codings.length > 1) return refuse("framed twice");
    if (lengths.length === 1 && !/^[0-9]+$/.test(lengths[0])) return refuse("Content-Length");
    if (codings.length === 1 && minor === "0") return refuse("Transfer-Encoding in HTTP/1.0");
    if (codings.length === 1 && !/(?:^|,)[ \t]*chunked$/i.test(codings[0])) return refuse("Transfer-Encoding");
    // RFC 9112, 9.3, in its order.
    const options = all("connection").flatMap((value) => value.toLowerCase().split(/[ \t]*,[ \t]*/));
    const keepAlive = options.includes("close") ? false : minor !== "0" ? true : options.includes("keep-alive");
    const message: Message = { method, target, version: `1.${minor}`, fields: fields.length, keepAlive, body: "", complete: false }; // biome-ignore format: one line
    judged.messages.push(message);

    if (codings.length === 1) {
      for (;;) {
        const head = line();
        if (head === undefined) return judged;
        const chunk = CHUNK.exec(head);
        if (chunk === null) return refuse("chunk");
        const size = Number.parseInt(chunk[1], 16);
        if (size === 0) break;
        message.body += text.slice(at, at + size);
        if (at + size + 2 > text.length) {
          const behind = text.slice(at + size);
          return behind === "" || behind === "\r" ? judged : refuse("chunk-data without CRLF");
        }
        if (text.slice(at + size, at + size + 2) !== "\r\n") return refuse("chunk-data without CRLF");
        at += size + 2;
      }
      for (let trailer = line(); trailer !== ""; trailer = line()) {
        if (trailer === undefined) return judged;
        if (!FIELD.test(trailer)) return refuse("trailer-section");
      }
    } else if (lengths.length === 1) {
      const size = Number(lengths[0]);
      message.body = text.slice(at, at + size);
      if (at + size > text.length) return judged;
      at += size;
    }
    message.complete = true;
    if (!keepAlive) {
      judged.end = "closed";
      return judged;
    }
  }
  return judged;
}

/**
 * Whether `ours` takes anything that the RFC does not: undefined for no. A head that we take must be one, with the same
 * meaning; body bytes that we hand out must be those; where we go on, the RFC must.
 */
export function looserThanTheRfc(ours: Reading, rfc: Judged): string | undefined {
  for (let i = 0; i < ours.messages.length; i++) {
    const mine = ours.messages[i];
    const right = rfc.messages[i];
    if (right === undefined) return `request ${i} is none: ${rfc.end} ${rfc.reason}`;
    for (const key of ["method", "target", "version", "fields", "keepAlive"] as const) {
      if (mine[key] !== right[key]) return `request ${i}: ${key} is ${right[key]}, not ${mine[key]}`;
    }
    if (mine.complete && !right.complete) return `the body of request ${i} is not complete: ${rfc.end} ${rfc.reason}`;
    if (mine.complete ? mine.body !== right.body : !right.body.startsWith(mine.body)) return `the body of request ${i}`;
  }
  // What is refused only later is a matter of when, not of what: nothing of it has reached a handler.
  return undefined;
}

/**
 * A header field as HPACK's tables hold it: what is to be known of it is found out once, when it comes as a literal, so
 * that a field that comes again as an index costs a look at `kind`.
 */
import { TOKEN } from "../http/field-value.ts";

/** Kinds of fields that a request's head needs to know; all others are PLAIN. */
export const PLAIN = 0;
export const METHOD = 1;
export const SCHEME = 2;
export const AUTHORITY = 3;
export const PATH = 4;
/** A pseudo-header that no request has, `:status` among them (RFC 9113, 8.3). */
export const STRANGE = 5;
/** Malformed: a name that is no lower-case token, a value with what no value has (RFC 9113, 8.2.1). */
export const MALFORMED = 6;
/** It concerns one connection of HTTP/1.1 (RFC 9113, 8.2.2). */
export const FORBIDDEN = 7;
export const HOST = 8;
export const CONTENT_LENGTH = 9;
export const TE = 10;
export const EXPECT = 11;
export const PRIORITY = 12;
/** RFC 8441, 4. */
export const PROTOCOL = 13;

export class Field {
  readonly name: string;
  readonly value: string;
  readonly kind: number;
  /** Of the name alone: a literal may take it from here with another value. */
  readonly nameKind: number;
  /** As it stands in a head (`src/fetch/head.ts`), with the end of the line before it. */
  readonly line: string;
  /** RFC 7541, 4.1. */
  readonly size: number;

  constructor(name: string, value: string, nameKind: number = kindOf(name)) {
    this.name = name;
    this.value = value;
    this.nameKind = nameKind;
    this.kind = isFieldValue(value) ? nameKind : MALFORMED;
    this.line = `\r\n${name}: ${value}`;
    this.size = name.length + value.length + 32;
  }
}

const KINDS = new Map<string, number>([
  [":method", METHOD],
  [":scheme", SCHEME],
  [":authority", AUTHORITY],
  [":path", PATH],
  [":protocol", PROTOCOL],
  ["connection", FORBIDDEN],
  ["keep-alive", FORBIDDEN],
  ["proxy-connection", FORBIDDEN],
  ["transfer-encoding", FORBIDDEN],
  ["upgrade", FORBIDDEN],
  ["host", HOST],
  ["content-length", CONTENT_LENGTH],
  ["te", TE],
  ["expect", EXPECT],
  ["priority", PRIORITY],
]);

function kindOf(name: string): number {
  const kind = KINDS.get(name);
  if (kind !== undefined) return kind;
  if (name.length === 0) return MALFORMED;
  const pseudo = name.charCodeAt(0) === 0x3a ? 1 : 0;
  for (let i = pseudo; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (TOKEN[c] !== 1 || (c >= 0x41 && c <= 0x5a)) return MALFORMED;
  }
  return pseudo === 1 ? STRANGE : PLAIN;
}

/** RFC 9113, 8.2.1, as strict as for HTTP/1.1 (RFC 9110, 5.5): and no white space around it. */
function isFieldValue(value: string): boolean {
  const { length } = value;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    const c = value.charCodeAt(i);
    if (c < 0x20 ? c !== 0x09 : c === 0x7f) return false;
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1));
}

function isBlank(c: number): boolean {
  return c === 0x20 || c === 0x09;
}

/**
 * What may stand in a header field, as the Fetch standard reads it: names are RFC 9110 tokens and compare without
 * case, values are byte strings without NUL, CR or LF and without white space around them.
 *
 * Names repeat (a program uses a few dozen), so a name is checked once and remembered with its lower-case form: a
 * look-up in the map costs some 3 ns, checking and lowering 38. Values hardly repeat, so they are scanned.
 */

/** RFC 9110 section 5.6.2: what a token consists of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names may come from the network (copied from a request), so the memory has a bound. */
const MAX_KNOWN = 512;
const MAX_KNOWN_LENGTH = 64;
const knownNames = new Map<string, string>();

/** The lower-case form of a valid header name; a TypeError for anything else. */
export function headerName(name: unknown): string {
  const known = knownNames.get(name as string);
  return known !== undefined ? known : checkName(name);
}

function checkName(input: unknown): string {
  const name = byteString(input);
  if (!TOKEN.test(name)) throw new TypeError(`"${name}" is not a valid header name.`);
  const lower = name.toLowerCase();
  if (name.length > MAX_KNOWN_LENGTH || knownNames.size >= MAX_KNOWN) return lower;
  // A slice keeps the whole string alive that it was cut from (a request's head); a property key is a copy.
  const key = Object.keys({ [name]: 0 })[0];
  const value = Object.keys({ [lower]: 0 })[0];
  knownNames.set(key, value);
  return value;
}

/** A header value without the white space around it; a TypeError if it can't be one. */
export function headerValue(input: unknown): string {
  const value = typeof input === "string" ? input : byteString(input);
  const length = value.length;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255) throw notByteString(value, i);
    if (code < 14 && (code === 0 || code === 10 || code === 13)) return strip(value);
  }
  if (length === 0) return value;
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(length - 1);
  return first === 32 || first === 9 || last === 32 || last === 9 ? strip(value) : value;
}

/** The slow way: white space (tab, LF, CR, space) off both ends, then no NUL, CR or LF may be left. */
function strip(value: string): string {
  byteString(value);
  let start = 0;
  let end = value.length;
  while (start < end && isHttpSpace(value.charCodeAt(start))) start++;
  while (end > start && isHttpSpace(value.charCodeAt(end - 1))) end--;
  const stripped = value.slice(start, end);
  if (/[\0\r\n]/.test(stripped)) throw new TypeError(`${JSON.stringify(stripped)} is not a valid header value.`);
  return stripped;
}

function isHttpSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

/** Web IDL's ByteString: what has no character above U+00FF. */
export function byteString(input: unknown): string {
  if (typeof input === "symbol") throw new TypeError("A symbol cannot be converted to a ByteString.");
  const string = String(input);
  for (let i = 0; i < string.length; i++) {
    if (string.charCodeAt(i) > 255) throw notByteString(string, i);
  }
  return string;
}

function notByteString(string: string, index: number): TypeError {
  return new TypeError(
    `Cannot convert to a ByteString: the character at index ${index} has the value ${string.charCodeAt(index)}, which is greater than 255.`,
  );
}

/** True for an HTTP token (RFC 9110 section 5.6.2): a method or a header name. */
export function isToken(string: string): boolean {
  return TOKEN.test(string);
}

/** A reason phrase (RFC 9112 section 4) as a byte string; a TypeError if it can't be one. */
export function reasonPhrase(input: unknown): string {
  const phrase = byteString(input);
  if (/[^\t\x20-\x7e\x80-\xff]/.test(phrase))
    throw new TypeError(`${JSON.stringify(phrase)} is not a valid statusText.`);
  return phrase;
}

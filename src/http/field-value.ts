/** What heads of requests and of responses have in common, straight over the bytes: words, Connection, Content-Length. */

const SP = 0x20;
const HTAB = 0x09;
const COMMA = 0x2c;

/** RFC 9110, 5.6.2: tchar. */
export const TOKEN: Uint8Array = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN[c.charCodeAt(0)] = 1;
}
/** RFC 9110, 5.5: field-vchar, SP and HTAB; the same stand in a reason phrase (RFC 9112, 4). */
export const VALUE: Uint8Array = new Uint8Array(256);
for (let c = 0x20; c < 0x100; c++) VALUE[c] = c === 0x7f ? 0 : 1;
VALUE[HTAB] = 1;

/** Compares `bytes[at, end)` with a lower-case word, ignoring ASCII case. */
export function isWord(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (end - at !== word.length) return false;
  for (let k = 0; k < word.length; k++) {
    const c = bytes[at + k];
    if (c !== word.charCodeAt(k) && (c < 0x41 || c > 0x5a || (c | 0x20) !== word.charCodeAt(k))) return false;
  }
  return true;
}

/** Bits of `connectionOptions`. */
export const CLOSE = 1;
export const KEEP_ALIVE = 2;

/** RFC 9110, 7.6.1: a list of options; only close and keep-alive concern us. */
export function connectionOptions(bytes: Uint8Array, value: number, end: number): number {
  let options = 0;
  for (let i = value; i < end; ) {
    let stop = i;
    while (stop < end && bytes[stop] !== COMMA) stop++;
    let last = stop;
    while (i < last && (bytes[i] === SP || bytes[i] === HTAB)) i++;
    while (last > i && (bytes[last - 1] === SP || bytes[last - 1] === HTAB)) last--;
    if (isWord(bytes, i, last, "close")) options |= CLOSE;
    else if (isWord(bytes, i, last, "keep-alive")) options |= KEEP_ALIVE;
    i = stop + 1;
  }
  return options;
}

/** Content-Length (RFC 9110, 8.6): digits and nothing else, and no more than a number holds exactly; else -1. */
export function contentLength(bytes: Uint8Array, value: number, end: number): number {
  if (value === end || end - value > 16) return -1;
  let length = 0;
  for (let i = value; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length > Number.MAX_SAFE_INTEGER ? -1 : length;
}

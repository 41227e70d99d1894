/**
 * The masking of client frames (RFC 6455, 5.3), taken off in place. No library is faster from here: those that exist for
 * it are addons, whose call costs more than a small frame, and beyond that this loop moves four bytes a step.
 *
 * A key is kept as one number, its first byte the lowest: all systems that Slipway runs on have that one first in memory.
 */

/** From here on, words are worth finding their alignment. */
const WORDS_FROM = 128;

let lastBuffer: ArrayBufferLike | undefined;
let lastWords: Int32Array = new Int32Array(0);

/** The key for what stands `offset` bytes behind its beginning. */
export function rotated(key: number, offset: number): number {
  const bits = (offset & 3) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/**
 * Takes the mask off `bytes[start, end)`. Returns all of the bytes or-ed together: below 0x80 they are ASCII, which costs
 * nothing to find out here.
 */
export function unmask(bytes: Uint8Array, start: number, end: number, key: number): number {
  let or = 0;
  let at = start;
  if (end - start >= WORDS_FROM) {
    while ((bytes.byteOffset + at) & 3) {
      or |= bytes[at] ^= rotated(key, at - start);
      at++;
    }
    if (bytes.buffer !== lastBuffer) {
      lastBuffer = bytes.buffer;
      lastWords = new Int32Array(lastBuffer, 0, lastBuffer.byteLength >>> 2);
    }
    const words = lastWords;
    const mask = rotated(key, at - start);
    const first = (bytes.byteOffset + at) >>> 2;
    const last = (bytes.byteOffset + end) >>> 2;
    let seen = 0;
    for (let i = first; i < last; i++) seen |= words[i] ^= mask;
    or |= seen | (seen >>> 8) | (seen >>> 16) | (seen >>> 24);
    at += (last - first) * 4;
    key = mask;
    for (let i = 0; at < end; at++, i++) or |= bytes[at] ^= rotated(key, i);
    return or & 0xff;
  }
  const a = key & 0xff;
  const b = (key >>> 8) & 0xff;
  const c = (key >>> 16) & 0xff;
  const d = key >>> 24;
  const whole = end - ((end - start) & 3);
  for (; at < whole; at += 4) {
    or |= bytes[at] ^= a;
    or |= bytes[at + 1] ^= b;
    or |= bytes[at + 2] ^= c;
    or |= bytes[at + 3] ^= d;
  }
  if (at < end) or |= bytes[at++] ^= a;
  if (at < end) or |= bytes[at++] ^= b;
  if (at < end) or |= bytes[at++] ^= c;
  return or;
}

/**
 * UTF-8 (RFC 3629), checked as it comes: text that can't become valid any more is refused with the first byte that shows
 * it (RFC 6455, 8.1). What is whole goes to the host's isUtf8, which is simdutf; single bytes are only looked at where a
 * piece was cut within a character.
 */
import { isUtf8 } from "node:buffer";

export class Utf8Check {
  /** Bytes that the character begun still wants, and what the next of them must lie between. */
  #wanted = 0;
  #low = 0x80;
  #high = 0xbf;

  /** False when `bytes[start, end)`, behind what came before, is not UTF-8. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    for (; at < end && this.#wanted > 0; at++) if (!this.#step(bytes[at])) return false;
    const whole = beforeCut(bytes, at, end);
    if (whole > at && !isUtf8(bytes.subarray(at, whole))) return false;
    for (let i = whole; i < end; i++) if (!this.#step(bytes[i])) return false;
    return true;
  }

  /** Whether what came ends with a whole character. */
  get complete(): boolean {
    return this.#wanted === 0;
  }

  #step(byte: number): boolean {
    if (this.#wanted > 0) {
      if (byte < this.#low || byte > this.#high) return false;
      this.#wanted--;
      this.#low = 0x80;
      this.#high = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#wanted = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    // No character in more bytes than it needs, no surrogate, nothing beyond U+10FFFF.
    if (byte === 0xe0) this.#low = 0xa0;
    else if (byte === 0xed) this.#high = 0x9f;
    else if (byte === 0xf0) this.#low = 0x90;
    else if (byte === 0xf4) this.#high = 0x8f;
    return true;
  }
}

/** Where the character begins that is cut off by `end`; `end` where none is. */
function beforeCut(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i >= start && i >= end - 3; i--) {
    const byte = bytes[i];
    if (byte < 0x80) return end;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return i + length > end ? i : end;
  }
  return end;
}

/**
 * Memory for what is kept for a moment and given back: parts of what a client has sent. New memory each time is V8's to
 * find and to collect, 20 ms at once under a flood; what lies here is used again.
 *
 * What a buffer held before is still in it: whoever takes one keeps count of what is his.
 */
const SIZES: readonly number[] = [4096, 16_384, 65_536, 131_072];
/** Of each size; what is beyond is collected. */
const KEPT = 8;

const spares: readonly Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);

/** Less is not worth it, and a client that drips shall hold no more than it has sent. */
const LEAST = 1024;

/** At least `size` bytes, of any content. */
export function takeBuffer(size: number): Uint8Array<ArrayBuffer> {
  if (size < LEAST) return new Uint8Array(size);
  for (let i = 0; i < SIZES.length; i++) {
    if (size <= SIZES[i]) return spares[i].pop() ?? new Uint8Array(SIZES[i]);
  }
  return new Uint8Array(size);
}

/** Nobody has it any more. Only what `takeBuffer` gave. */
export function giveBuffer(bytes: Uint8Array<ArrayBuffer>): void {
  const i = SIZES.indexOf(bytes.length);
  if (i >= 0 && spares[i].length < KEPT) spares[i].push(bytes);
}

/**
 * Memory for what is kept for a moment and given back: parts of what a client has sent. New memory each time is V8's to
 * find and to collect: under a flood of header blocks that never end, a collection of 10 ms every 50 ms.
 *
 * What a buffer held before is still in it: whoever takes one keeps count of what is his.
 */

/** Less is not worth it, and a client that drips shall hold no more than it has sent. */
const LEAST = 1024;
/** The smallest that is kept, and how often it is doubled for the largest: 2 MiB. */
const SMALLEST = 4096;
const DOUBLED = 9;
/** All that are kept together. */
const MOST = 4 * 1024 * 1024;

const spares: readonly Uint8Array<ArrayBuffer>[][] = Array.from({ length: DOUBLED + 1 }, () => []);
let kept = 0;

/** How often SMALLEST must be doubled for `size` bytes. */
function doublings(size: number): number {
  return size <= SMALLEST ? 0 : 32 - Math.clz32((size - 1) / SMALLEST);
}

/** At least `size` bytes, of any content. */
export function takeBuffer(size: number): Uint8Array<ArrayBuffer> {
  if (size < LEAST) return new Uint8Array(size);
  const i = doublings(size);
  if (i > DOUBLED) return new Uint8Array(size);
  const spare = spares[i].pop();
  if (spare === undefined) return new Uint8Array(SMALLEST << i);
  kept -= spare.length;
  return spare;
}

/** Nobody has it any more. Only what `takeBuffer` gave. */
export function giveBuffer(bytes: Uint8Array<ArrayBuffer>): void {
  const { length } = bytes;
  const i = doublings(length);
  if (length < LEAST || i > DOUBLED || kept + length > MOST) return;
  spares[i].push(bytes);
  kept += length;
}

/**
 * Huge pages for large arrays that are about to be written (madvise(2), MADV_HUGEPAGE): the kernel makes and clears memory
 * at its first touch, page by page, which for 64 MiB are 16,384 times 4 KiB or 32 times 2 MiB. Only Linux has it, and only
 * where /sys/kernel/mm/transparent_hugepage/enabled says "madvise" or "always"; elsewhere nothing changes.
 */
import { koffi } from "./koffi.ts";

const MADV_HUGEPAGE = 14;
const PAGE = 4096;
/** Smaller arrays hold few whole huge pages, and malloc(3) may have their memory at hand. */
const LEAST = 8 * 1024 * 1024;

let madvise: ((address: number, length: number, advice: number) => number) | undefined;

/** Zeros, that many; in huge pages where that is worth it. */
export function largeArray(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (length >= LEAST && process.platform === "linux") advise(bytes);
  return bytes;
}

function advise(bytes: Uint8Array): void {
  madvise ??= koffi.load(null).func("madvise", "int", ["uintptr_t", "size_t", "int"]);
  // A hint about memory that we hold; it begins behind malloc's own words, and pages are what can be advised.
  const address = Number(koffi.address(bytes));
  const start = Math.ceil(address / PAGE) * PAGE;
  const end = Math.floor((address + bytes.length) / PAGE) * PAGE;
  madvise(start, end - start, MADV_HUGEPAGE);
}

/** Counting requests, cheaply: no string is made or looked up for a method that everybody uses. */
import { CLASSES, type HttpCounters, METHODS } from "./counters.ts";

const OTHER = METHODS.length - 1;
const [GET, HEAD, POST, PUT] = [0, 1, 2, 3];

/** The row of a method whose name stands in `bytes[start, end)`. */
export function methodRow(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = bytes[start];
  const second = bytes[start + 1];
  if (length === 3) {
    if (first === 0x47 && second === 0x45 && bytes[start + 2] === 0x54) return GET;
    if (first === 0x50 && second === 0x55 && bytes[start + 2] === 0x54) return PUT;
    return OTHER;
  }
  if (length === 4) {
    if (first === 0x50 && second === 0x4f && bytes[start + 2] === 0x53 && bytes[start + 3] === 0x54) return POST;
    if (first === 0x48 && second === 0x45 && bytes[start + 2] === 0x41 && bytes[start + 3] === 0x44) return HEAD;
    return OTHER;
  }
  if (length > 7) return OTHER;
  return rowOf(String.fromCharCode(...bytes.subarray(start, end)));
}

/** The row of a method by its name. */
export function rowOf(method: string): number {
  if (method === "GET") return GET;
  if (method === "POST") return POST;
  const row = (METHODS as readonly string[]).indexOf(method);
  return row < 0 ? OTHER : row;
}

/** One more request of this row has ended with this status. */
export function tally(counters: HttpCounters, row: number, status: number): void {
  counters.requests[row * CLASSES + ((status / 100) | 0)]++;
}

/** One more that was refused before its method was known. */
export function tallyRefused(counters: HttpCounters, status: number): void {
  tally(counters, OTHER, status);
}

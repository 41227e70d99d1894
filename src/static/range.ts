/**
 * Range (RFC 9110, 14): one part of a file. Several parts at once are ignored, as a server may (14.2): no browser asks for
 * them, and they are how a small request makes a large answer.
 */

export interface Part {
  readonly start: number;
  /** The first byte that is no longer in it. */
  readonly end: number;
}

const RANGE = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i;

/** Undefined: all of it, as what can't be read is no range. */
export function readRange(field: string | null, size: number): Part | "unsatisfiable" | undefined {
  const match = field === null ? null : RANGE.exec(field);
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  // RFC 9110, 14.1.1: a last position before the first is invalid, and so is all of it.
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

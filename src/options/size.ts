/** Sizes: `"1MiB"`, `"64KiB"`, `"10MB"`, or bytes as a number or as digits. IEC 80000-13: KiB is 1024, kB is 1000. */
import { type Bounds, readNumber, type Unit } from "./bounds.ts";

const KIB = 1024;
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: KIB,
  mib: KIB ** 2,
  gib: KIB ** 3,
};

export const size: Unit = {
  name: 'a size like "1MiB", "10MB" or 65536 (bytes)',
  parse: parseBytes,
  show: showBytes,
};

/** Bytes a second: a size, with "/s" behind it or without. */
export const rate: Unit = {
  name: 'a rate like "4KiB" or 4096 (bytes per second)',
  parse: (text) => parseBytes(text.replace(/\/s$/i, "")),
  show: (value) => (value === 0 ? "0" : `${showBytes(value)}/s`),
};

function parseBytes(text: string): number | undefined {
  const [, count, unit = "b"] = /^(\d+(?:\.\d+)?)\s?([kmg]?i?b)?$/i.exec(text) ?? [];
  const factor = BYTES[unit.toLowerCase()];
  return count === undefined || factor === undefined ? undefined : Math.round(Number(count) * factor);
}

function showBytes(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "none";
  if (value > 0) {
    for (const unit of ["GiB", "MiB", "KiB", "GB", "MB"]) {
      const factor = BYTES[unit.toLowerCase()];
      if (value % factor === 0) return `${value / factor}${unit}`;
    }
  }
  return `${value}B`;
}

export const anySize: Bounds = { min: 1, max: KIB ** 4, none: true };

/** Bytes of a size, Infinity for "none"; throws an OptionError that begins with `what`. */
export function parseSize(value: number | string, what: string, bounds: Bounds = anySize): number {
  return readNumber(value, what, size, bounds);
}

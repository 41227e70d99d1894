/** What a number among the options may be, and the one sentence that says so when it is something else. */
export interface Bounds {
  /** Smallest and largest value, in milliseconds, bytes or as a count. */
  readonly min: number;
  readonly max: number;
  /** What 0 means, where it is allowed below `min`. */
  readonly zero?: string;
  /** Whether "none" (no limit; Infinity) is allowed. */
  readonly none?: boolean;
  /** What the word "auto" stands for, where it is allowed; its value is 0. */
  readonly auto?: string;
}

/** A value that an option cannot have. Its message is one sentence: which option, where, and what is allowed. */
export class OptionError extends TypeError {
  override readonly name = "TypeError";
}

/** How a kind of number is read and shown. */
export interface Unit {
  /** The name says the range. */
  readonly ranged?: true;
  /** With article and examples: `a duration like "30s" or 30000 (milliseconds)`. */
  readonly name: string;
  /** A text's value; undefined if it is none. */
  parse(text: string): number | undefined;
  show(value: number): string;
}

/**
 * Reads one value as people write it. `what` begins the sentence of the error: "--read-timeout", "the environment's
 * SLIPWAY_READ_TIMEOUT", "readTimeout of Deno.serve".
 *
 * 0 never means "no limit" by accident: that is spelled "none".
 */
export function readNumber(value: unknown, what: string, unit: Unit, bounds: Bounds): number {
  if (typeof value === "string") {
    const word = value.trim().toLowerCase();
    if (word === "none" && bounds.none === true) return Number.POSITIVE_INFINITY;
    if (word === "auto" && bounds.auto !== undefined) return 0;
  }
  const read = typeof value === "number" ? value : typeof value === "string" ? unit.parse(value.trim()) : undefined;
  if (read === 0 && bounds.min > 0) {
    if (bounds.zero !== undefined) return 0;
    const cure = bounds.none === true ? 'write "none" for no limit' : `write ${allowed(unit, bounds)}`;
    throw new OptionError(`${what} must not be 0: ${cure}`);
  }
  if (read === undefined || !(read >= bounds.min && read <= bounds.max) || !Number.isInteger(read)) {
    throw new OptionError(`${what} must be ${allowed(unit, bounds)}, not ${shown(value)}`);
  }
  return read;
}

/** `a duration like "30s" or 30000 (milliseconds), from 1ms to 576h, or "none" for no limit` */
export function allowed(unit: Unit, bounds: Bounds): string {
  const { min, max, zero, none, auto } = bounds;
  const range = unit.ranged ? "" : `, from ${unit.show(min)} to ${unit.show(max)}`;
  const words = [
    ...(auto === undefined ? [] : [`"auto" (${auto})`]),
    ...(none === true ? ['"none" for no limit'] : []),
    ...(zero === undefined ? [] : [`0 (${zero})`]),
  ];
  return `${unit.name}${range}${words.length === 0 ? "" : `, or ${words.join(" or ")}`}`;
}

/** A value, short enough for a sentence. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  return Array.isArray(value) ? "an array" : `${/^[aeiou]/.test(typeof value) ? "an" : "a"} ${typeof value}`;
}

/** Whole numbers: counts, and ports. */
import type { Unit } from "./bounds.ts";

const whole = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

export const count: Unit = {
  name: "a whole number",
  parse: whole,
  show: (value) => (value === Number.POSITIVE_INFINITY ? "none" : String(value)),
};

export const port: Unit = {
  name: "a whole number from 0 (any free port) to 65535",
  ranged: true,
  parse: whole,
  show: String,
};

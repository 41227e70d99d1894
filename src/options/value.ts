/** One value of an option: read from what a person wrote, and shown again. */
import { allowed, OptionError, readNumber, shown } from "./bounds.ts";
import { units } from "./limits.ts";
import type { Option } from "./table.ts";

export type Value = number | string | boolean | readonly string[] | undefined;

/**
 * Reads a value. `what` begins the sentence of the OptionError. `typed`: it comes from a program, where a port is a
 * number and a flag is true; on the command line and in the environment everything is text.
 */
export function readValue(option: Option, value: unknown, what: string, typed: boolean): Value {
  switch (option.kind) {
    case "port":
      if (typed && typeof value === "string") {
        throw new OptionError(`${what} must be ${allowed(units.port, option.bounds)}, not ${shown(value)}`);
      }
      return readNumber(value, what, units.port, option.bounds);
    case "duration":
    case "size":
    case "rate":
    case "count":
      return readNumber(value, what, units[option.kind], option.bounds);
    case "flag":
      return readFlag(value, what, typed);
    case "choice":
      if (typeof value === "string" && option.choices.includes(value)) return value;
      throw new OptionError(`${what} must be one of ${option.choices.join(", ")}, not ${shown(value)}`);
    case "text":
      return readText(value, what, option.wants);
    case "list":
      if (option.some && Array.isArray(value) && value.length === 0) {
        throw new OptionError(`${what} is empty: give ${option.wants}, or leave it out`);
      }
      return readList(value, what, option.wants, option.files ? /\s*,\s*/ : /[\s,]+/);
  }
}

const YES = new Set(["1", "true", "yes", "on"]);
const NO = new Set(["0", "false", "no", "off"]);

function readFlag(value: unknown, what: string, typed: boolean): boolean {
  if (typeof value === "boolean") return value;
  if (!typed && typeof value === "string") {
    const word = value.trim().toLowerCase();
    if (YES.has(word)) return true;
    if (NO.has(word)) return false;
  }
  throw new OptionError(`${what} must be true or false, not ${shown(value)}`);
}

function readText(value: unknown, what: string, wants: string): string {
  if (typeof value !== "string") throw new OptionError(`${what} must be a string, not ${shown(value)}: give ${wants}`);
  if (value === "") throw new OptionError(`${what} is empty: give ${wants}`);
  return value;
}

function readList(value: unknown, what: string, wants: string, between: RegExp): readonly string[] {
  const texts = Array.isArray(value) ? value : [value];
  return texts.flatMap((text) => {
    if (typeof text !== "string") {
      throw new OptionError(`${what} must be a string or a list of them, not ${shown(text)}: give ${wants}`);
    }
    const items = text
      .trim()
      .split(between)
      .filter((item) => item !== "");
    if (items.length === 0) throw new OptionError(`${what} is empty: give ${wants}`);
    return items;
  });
}

/** As help, --print-config and docs show it. */
export function showValue(option: Option, value: Value): string {
  switch (option.kind) {
    case "flag":
      return value === true ? "on" : "off";
    case "list":
      return Array.isArray(value) && value.length > 0 ? value.join(", ") : "none given";
    case "text":
    case "choice":
      return value === undefined ? "off" : String(value);
    default:
      if (option.bounds.auto !== undefined && value === 0) return "auto";
      return units[option.kind].show(Number(value));
  }
}

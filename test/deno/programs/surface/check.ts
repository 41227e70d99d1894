// @ts-nocheck: written for Deno, whose types are not installed here.
/** What the programs of this folder are made of: each check is a name and what came of a call. */

/** A folder for all of them, gone at the end. */
export const folder: string = Deno.realPathSync(Deno.makeTempDirSync());
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface Check {
  name: string;
  call: () => unknown;
  /** The error's class is enough: its sentence is about something that is not the same here. */
  loose: boolean;
}

export const checks: Check[] = [];

export function check(name: string, call: () => unknown): void {
  checks.push({ name, call, loose: false });
}

/** A check of which only the class of an error counts. */
export function classOnly(name: string, call: () => unknown): void {
  checks.push({ name, call, loose: true });
}

/** The same for a call and its twin that does not wait. */
export function both(name: string, call: (member: (name: string) => (...args: unknown[]) => unknown) => unknown): void {
  check(name, () => call((member) => Deno[member]));
  check(`${name}, sync`, () => call((member) => Deno[`${member}Sync`]));
}

/** The same for both. */
export function bothClassOnly(
  name: string,
  call: (member: (name: string) => (...args: unknown[]) => unknown) => unknown,
) {
  classOnly(name, () => call((member) => Deno[member]));
  classOnly(`${name}, sync`, () => call((member) => Deno[`${member}Sync`]));
}

/** What a call ends with, as JSON can say it. */
export async function outcome(call: () => unknown, loose = false): Promise<unknown[]> {
  try {
    return ["gives", shown(await Promise.race([call(), tooLong()]))];
  } catch (error) {
    if (!(error instanceof Error)) return ["throws", String(error)];
    const kind =
      Object.keys(Deno.errors).find((key) => error.constructor === Deno.errors[key]) ?? error.constructor.name;
    const said = loose ? null : error.message.replaceAll(folder, "FOLDER");
    return ["throws", kind, error.name, said, loose ? null : (error.code ?? null)];
  }
}

/** One check that hangs does not take the others' results away. */
function tooLong(): Promise<string> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(() => resolve("no end in 10 seconds"), 10_000)));
}

function shown(value: unknown): unknown {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return value.replaceAll(folder, "FOLDER");
  if (value instanceof Uint8Array) return `${value.constructor.name}(${[...value]})`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (Array.isArray(value)) return value.map(shown);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, shown(field)]));
  }
  return typeof value === "function" ? "function" : value;
}

/**
 * What becomes of each of Deno's members here. What is named nowhere works as it does under Deno; test/deno/members.test.ts
 * and the programs in test/deno/programs hold that to be so.
 */
import { unsupportedMembers, unsupportedUnstable } from "../../src/deno/unsupported.ts";

/** `name` or `name.field` → how it differs, in a phrase. */
export const differs: Readonly<Record<string, string>> = {
  permissions: "everything is granted, and nothing can be revoked: there is no sandbox",
};

/** `name` or `name.field` → why not, and what instead. What src/deno/unsupported.ts throws is added. */
export const refused: Readonly<Record<string, string>> = {
  ...unsupportedMembers,
  ...unsupportedUnstable,
};

/** Types that belong to what is refused: they have no row of their own. */
const parts: readonly (readonly [pattern: RegExp, of: string])[] = [
  [/^bundle\./, "bundle"],
  [/^jupyter\./, "jupyter"],
  [/^lint\./, "lint"],
  [/^webgpu\./, "webgpu"],
  [/^telemetry\./, "telemetry"],
  [/^(Connect)?Quic(?!Endpoint$)/, "connectQuic"],
  [/^(Kv(Entry|List|Commit)\w+|AtomicCheck)$/, "openKv"],
  [/^CronSchedule$/, "cron"],
  [/^(Native|Foreign|PointerObject|DynamicLibrary|UnsafeCallbackDefinition)/, "dlopen"],
];

/** The member whose verdict is also that of `name`. */
export function partOf(name: string): string | undefined {
  return parts.find(([pattern, of]) => pattern.test(name) && of !== name)?.[1];
}

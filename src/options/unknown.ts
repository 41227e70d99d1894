/**
 * Names that look like options and are none. Not errors: the environment is shared, and objects have all kinds of
 * fields; but a limit that is misspelt must not be believed to hold.
 */
import { isPlain } from "./resolve.ts";
import { type Option, optionTable, variableOf, variablesIn } from "./table.ts";

/** Variables of ours that are no options. */
const otherVariables =
  /^SLIPWAY_(?:POLLER|STACK|WATCH_CHILD|HANDOVER\w*|RESTART\w*|TEST_\w+|SEED|COUNT|TARGETS|PACK_LEVEL|BUILD_\w+|README_\w+)$/;
/** What else stands beside a handler. */
const functions = ["fetch", "connect", "onError", "limits", "ready"];
/** Other servers' names for ours; Bun's, mostly. */
const foreign: Readonly<Record<string, string>> = {
  cert: "tlsCert",
  certFile: "tlsCert",
  key: "tlsKey",
  keyFile: "tlsKey",
  host: "hostname",
  maxRequestBodySize: "maxBodyBytes",
  requestTimeout: "readTimeout",
  headersTimeout: "readHeaderTimeout",
  keepAliveTimeout: "idleTimeout",
  maxHeaderSize: "maxHeaderBytes",
};

/** The nearest known word to a mistyped one; nearest.ts has it, which no start needs. */
export type Nearest = (word: string, known: readonly string[]) => string | undefined;

/** SLIPWAY_* variables that mean nothing. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const given = variablesIn(env);
  if (given.length === 0) return given;
  const known = new Set(optionTable.map(variableOf));
  return given.filter((name) => !known.has(name) && !otherVariables.test(name));
}

export function variableWarning(name: string, nearest: Nearest): string {
  // Without what they all begin with, which would make everything look alike.
  const bare = (variable: string) => variable.slice("SLIPWAY_".length);
  const meant = nearest(
    bare(name),
    optionTable.map((option) => bare(variableOf(option))),
  );
  const hint = meant === undefined ? "" : ` (did you mean SLIPWAY_${meant}?)`;
  return `the environment's ${name} is no option${hint}: it changes nothing`;
}

/** Own fields of a plain object that are neither options nor handlers, with their values. */
export function unknownFields(exported: Readonly<Record<string, unknown>>): string[] {
  if (!isPlain(exported)) return [];
  const known = new Set([...optionTable.map(({ name }) => name), ...functions, "path"]);
  return Object.keys(exported).filter((name) => !known.has(name));
}

/** Undefined where the field looks like nothing of ours. */
export function fieldWarning(
  exported: Readonly<Record<string, unknown>>,
  name: string,
  file: string,
  nearest: Nearest,
): string | undefined {
  const meant = meantBy(name, exported[name], optionTable, functions, nearest);
  if (meant === undefined) return undefined;
  return `${file}: '${name}' of the default export is no option (did you mean ${meant}?): it changes nothing`;
}

/** The option or function that a field was meant to be, if it looks like one. */
export function meantBy(
  name: string,
  value: unknown,
  options: readonly Option[],
  functions: readonly string[],
  nearest: Nearest,
): string | undefined {
  if (Object.hasOwn(foreign, name)) return foreign[name];
  if (typeof value !== "function") return nearest(name, candidates(value, options));
  // Frameworks' apps have functions of all names: a `patch` is no misspelt fetch. Fingers rarely slip on the first letter.
  return nearest(
    name,
    functions.filter((one) => one[0] === name[0]),
  );
}

/** What a field of this value can have been meant to be. */
function candidates(value: unknown, options: readonly Option[]): string[] {
  const fits = (option: Option): boolean => {
    switch (typeof value) {
      case "boolean":
        return option.kind === "flag";
      case "number":
        return "bounds" in option;
      case "string":
        return option.kind !== "flag" && option.kind !== "port";
      default:
        return Array.isArray(value) && option.kind === "list";
    }
  };
  return options.filter(fits).map(({ name }) => name);
}

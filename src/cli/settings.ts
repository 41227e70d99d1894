/** The levels of options as the command line meets them: what is wrong at one is said in that level's own way. */
import { OptionError } from "../options/bounds.ts";
import {
  type ConfigEntry,
  doubtful,
  type Level,
  type Resolved,
  readFile,
  readFlags as readGiven,
  readEnvironment as readVariables,
  unlimited,
} from "../options/resolve.ts";
import { flagOf, optionTable } from "../options/table.ts";
import { fieldWarning, unknownFields, unknownVariables, variableWarning } from "../options/unknown.ts";
import { Failure, UsageError } from "./errors.ts";

export function flagsLevel(values: Readonly<Record<string, unknown>>): Level {
  return orUsage(() => readGiven(values));
}

export function environmentLevel(env: Readonly<Record<string, string | undefined>> = process.env): Level {
  return orUsage(() => readVariables(env));
}

export function fileLevel(exported: Readonly<Record<string, unknown>>, file: string): Level {
  return orFailure(() => readFile(exported, file));
}

/** What is wrong with an option that stands in the file. */
export function orFailure<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof OptionError ? new Failure(error.message) : error;
  }
}

/** What is wrong with an option that came from the command line or the environment, as such. */
export function orUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof OptionError ? new UsageError(error.message) : error;
  }
}

/** How errors name an option where it was given. */
export function placeOf({ source, from, name }: ConfigEntry): string {
  if (source === "environment") return `the environment's ${from}`;
  return source === "file" ? `${from}: '${name}' of the default export` : (from ?? name);
}

/** An error for a value of this option: of the command line's kind, or the file's. */
export function failureAt({ source }: ConfigEntry, message: string): Failure {
  return source === "file" ? new Failure(message) : new UsageError(message);
}

/** Lines to be said once, at the start: nothing here is an error, but nobody should have to find it out later. */
export async function warningsOf(
  resolved: Resolved,
  levels: readonly Level[],
  exported: Readonly<Record<string, unknown>>,
  file: string,
): Promise<string[]> {
  const lines = doubtful(resolved, levels);
  const variables = unknownVariables(process.env);
  const fields = unknownFields(exported);
  if (variables.length + fields.length > 0) {
    const { nearest } = await import("./suggestions.ts");
    lines.push(...variables.map((name) => variableWarning(name, nearest)));
    for (const name of fields) {
      const line = fieldWarning(exported, name, file, nearest);
      if (line !== undefined) lines.push(line);
    }
  }
  const free = unlimited(resolved).map(({ name, from }) => `${name} (${from})`);
  if (free.length > 0) lines.push(`no limit, because it is "none": ${free.join(", ")}`);
  return lines;
}

/** The flags of the table as node:util's parseArgs takes them; commander's are made in main.ts. */
export function parseArgsOptions(): Record<string, { type: "string" | "boolean"; short?: string; multiple?: boolean }> {
  return Object.fromEntries(
    optionTable.map((option) => [
      flagOf(option),
      {
        type: option.kind === "flag" ? "boolean" : "string",
        multiple: option.kind === "list",
        ...(option.short === undefined ? {} : { short: option.short }),
      },
    ]),
  );
}

/**
 * `--env-file[=FILE]`: variables from files, read as Deno reads them. The environment's own are stronger, and so are those
 * of a later file. Node has a flag of the same name, which it must not see: it stands behind a `--` of ours, or else of
 * Node's own command line.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorCode, UsageError } from "./errors.ts";

type Variables = Record<string, string | undefined>;

/** Takes the flag out of a command line, and the variables of its files into the environment. */
export function withoutEnvFiles(argv: readonly string[], warn: (line: string) => void): readonly string[] {
  const end = argv.indexOf("--");
  const own = (word: string, index: number) => /^--env-file(=|$)/.test(word) && (end < 0 || index < end);
  const flags = argv.filter(own);
  if (flags.length === 0) return argv;
  for (const flag of flags.reverse()) loadEnvFile(flag.slice("--env-file=".length) || ".env", warn);
  return argv.filter((word, index) => !own(word, index));
}

function loadEnvFile(name: string, warn: (line: string) => void): void {
  const file = nearest(name);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw new UsageError(`--env-file: ${(error as Error).message}`);
    // Deno says so and goes on: in production the variables may be there without a file.
    return warn(`--env-file: there is no ${name} here: the environment is as it was\n`);
  }
  for (const [key, value] of Object.entries(parseEnv(text, process.env))) process.env[key] ??= value;
}

/** A bare name is looked for in the folders above as well. */
function nearest(name: string): string {
  if (/[\\/]/.test(name)) return resolve(name);
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return join(folder, name);
    if (folder === dirname(folder)) return resolve(name);
  }
}

const line =
  /^[ \t]*(?:export[ \t]+)?([^\s=#'"`:][^\s=#]*)[ \t]*=[ \t]*(?:'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|`([^`]*)`|([^#\r\n]*))/gm;

/** The variables in a file's text. What is written twice counts the first time. */
export function parseEnv(text: string, environment: Readonly<Variables>): Record<string, string> {
  const found: Record<string, string> = {};
  const latest: Variables = {};
  for (const [, key, single, double, back, bare] of text.matchAll(line)) {
    const raw = double?.replaceAll("\\n", "\n") ?? bare?.trim();
    const value = raw === undefined ? (single ?? back) : expand(raw, { ...latest, ...environment });
    latest[key] = value;
    found[key] ??= value;
  }
  return found;
}

function expand(text: string, variables: Readonly<Variables>): string {
  return text.replace(/\\\$|\$\{([^}]*)\}|\$(\w+)/g, (whole, braced, plain) =>
    whole === "\\$" ? "$" : (variables[braced ?? plain] ?? ""),
  );
}

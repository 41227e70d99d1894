/**
 * The command line of a compiled server: `./shop --port 8080`. The base of every executable calls `runApp`.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { endOnSignals } from "./ending.ts";
import { die, noFormat, UsageError } from "./errors.ts";
import { flagsLevel, parseArgsOptions } from "./settings.ts";
import { loadAndStart, type Namespace } from "./start.ts";

export interface AppMeta {
  /** The handler's file, as messages name it. */
  readonly file: string;
  /** Slipway's version when this was compiled. */
  readonly version: string;
}

const options = {
  ...parseArgsOptions(),
  "print-config": { type: "boolean" },
  "print-config-json": { type: "boolean" },
  healthcheck: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

/**
 * Runs a compiled server: reads its flags, then loads and serves. `argv` is what the user typed behind the program's
 * name; what follows `--` is the program's own, in Deno.args.
 */
export async function runApp(load: () => Promise<Namespace>, argv: readonly string[], meta: AppMeta): Promise<void> {
  const program = basename(process.execPath);
  try {
    const { values, rest } = await parse(argv.some(isEnvFile) ? await withEnvFiles(argv) : argv, program);
    if (values["help"]) return void process.stdout.write(await helpText(program, meta));
    if (values["version"]) {
      return void process.stdout.write(`${program} (slipway ${meta.version}, node ${process.versions.node})\n`);
    }
    const flags = flagsLevel(values);
    if (values["healthcheck"]) return await (await import("./healthcheck.ts")).checkHealth(flags);
    const print = values["print-config-json"] ? "json" : values["print-config"] ? "text" : undefined;
    process.argv = [process.argv[0], meta.file, ...rest];
    const app = await loadAndStart(load, { file: meta.file, program, flags, print });
    if (app !== undefined) endOnSignals(app, program);
  } catch (error) {
    die(error, program);
  }
}

function isEnvFile(word: string): boolean {
  return word.startsWith("--env-file");
}

async function withEnvFiles(argv: readonly string[]): Promise<readonly string[]> {
  const [{ withoutEnvFiles }, { tell }] = await Promise.all([import("./env-file.ts"), import("./output.ts")]);
  return withoutEnvFiles(argv, tell);
}

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly rest: readonly string[];
}

async function parse(argv: readonly string[], program: string): Promise<Parsed> {
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  const wrong = before.find((word) => /^--print-config=(?!json$)/.test(word));
  if (wrong !== undefined) throw new UsageError(noFormat(wrong, `${program} --help`));
  const own = before.map((word) => (word === "--print-config=json" ? "--print-config-json" : word));
  const rest = end < 0 ? [] : argv.slice(end + 1);
  const values = plainValues(own);
  if (values !== undefined) return { values, rest };
  try {
    const { values } = parseArgs({ args: own, options, strict: true, allowNegative: true, allowPositionals: false });
    return { values, rest };
  } catch (error) {
    throw await explain(error as Error & { code?: string }, own, program);
  }
}

/**
 * `--name value` and `--name=value`, each once, which is what most starts have; undefined for anything else. It is not
 * worth 0.3 ms then to load what parses everything.
 */
function plainValues(args: readonly string[]): Record<string, string> | undefined {
  const known: Readonly<Record<string, { readonly type: string; readonly multiple?: boolean }>> = options;
  const values: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const [, name = "", given] = /^--([a-z-]+)(?:=(.+))?$/s.exec(args[i]) ?? [];
    const option = Object.hasOwn(options, name) ? known[name] : undefined;
    if (option?.type !== "string" || option.multiple || name in values) return undefined;
    const value = given ?? args[++i] ?? "";
    if (value === "" || (given === undefined && value.startsWith("-"))) return undefined;
    values[name] = value;
  }
  return values;
}

async function explain(error: Error & { code?: string }, args: readonly string[], program: string): Promise<unknown> {
  const see = `see ${program} --help`;
  switch (error.code) {
    case "ERR_PARSE_ARGS_UNKNOWN_OPTION": {
      const { didYouMean } = await import("./suggestions.ts");
      const flag = /'(-[^' ]*)/.exec(error.message)?.[1] ?? "";
      const known = Object.keys(options).map((name) => `--${name}`);
      return new UsageError(`unknown option '${flag}'${didYouMean(flag, known)}; ${see}`);
    }
    case "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL": {
      const word = /'([^']*)'/.exec(error.message)?.[1] ?? args[0];
      return new UsageError(`unexpected argument '${word}': the program's own arguments go behind --; ${see}`);
    }
    case "ERR_PARSE_ARGS_INVALID_OPTION_VALUE": {
      const flag = /'(?:-\w, )?(--[\w-]+)/.exec(error.message)?.[1] ?? "an option";
      const wantsValue = /argument missing|ambiguous/.test(error.message);
      return new UsageError(`${flag} ${wantsValue ? "needs a value" : "takes no value"}; ${see}`);
    }
    default:
      return error;
  }
}

async function helpText(program: string, meta: AppMeta): Promise<string> {
  const { optionsHelp } = await import("../options/help.ts");
  return `Usage: ${program} [options] [-- args…]

A server compiled by slipway ${meta.version} from ${meta.file}.

Options:
  --print-config                    show the value of each option and where it came from, and end (=json: as JSON)
  --healthcheck                     ask the server's admin port whether it is well: exit code 0, or 1
  --env-file[=<file>]               take variables from a file (default: .env) that the environment does not have
  -V, --version                     print the version
  -h, --help                        show this help

${optionsHelp()}

Examples:
  ${program} --port 8080
  ${program} --unix /run/${program}.sock
  ${program} --read-timeout 2m --print-config
`;
}

/**
 * The command line of a compiled server: `./shop --port 8080`. The base of every executable calls `runApp`.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type Wish, wishFromFlags } from "./address.ts";
import { die, UsageError } from "./errors.ts";
import { endOnSignals, loadAndStart, type Namespace } from "./start.ts";

export interface AppMeta {
  /** The handler's file, as messages name it. */
  readonly file: string;
  /** Slipway's version when this was compiled. */
  readonly version: string;
}

const options = {
  port: { type: "string", short: "p" },
  host: { type: "string" },
  unix: { type: "string" },
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
    const parsed = await parse(argv, program);
    if (parsed.values.help) return void process.stdout.write(helpText(program, meta));
    if (parsed.values.version) {
      return void process.stdout.write(`${program} (slipway ${meta.version}, node ${process.versions.node})\n`);
    }
    const flags: Wish = wishFromFlags(parsed.values);
    process.argv = [process.argv[0], meta.file, ...parsed.rest];
    const app = await loadAndStart(load, { file: meta.file, program, flags });
    if (app !== undefined) endOnSignals(app, program);
  } catch (error) {
    die(error, program);
  }
}

interface Parsed {
  readonly values: { port?: string; host?: string; unix?: string; help?: boolean; version?: boolean };
  readonly rest: readonly string[];
}

async function parse(argv: readonly string[], program: string): Promise<Parsed> {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv.slice() : argv.slice(0, end);
  const rest = end < 0 ? [] : argv.slice(end + 1);
  try {
    const { values } = parseArgs({ args: own, options, strict: true, allowPositionals: false });
    return { values, rest };
  } catch (error) {
    throw await explain(error as Error & { code?: string }, own, program);
  }
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

function helpText(program: string, meta: AppMeta): string {
  return `Usage: ${program} [options] [-- args…]

A server compiled by slipway ${meta.version} from ${meta.file}.

Options:
  -p, --port <port>  the port; 0 takes any free one (default: 8000; SLIPWAY_PORT)
  --host <host>      the address or name to listen on (default: 0.0.0.0, every one; SLIPWAY_HOST)
  --unix <path>      listen on a Unix socket instead (SLIPWAY_UNIX)
  -V, --version      print the version
  -h, --help         show this help

Examples:
  ${program} --port 8080
  ${program} --unix /run/${program}.sock
`;
}

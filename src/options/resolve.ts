/**
 * From what was said where to what holds: a flag beats the environment, which beats the file, which beats the default,
 * for every option by itself. Only the address is decided as a whole: the highest place that names a port, a host, a
 * Unix socket or listeners says which of them it is.
 */
import { OptionError } from "./bounds.ts";
import type { Limits } from "./limits.ts";
import { flagOf, type Option, type OptionName, optionTable, variableOf, variablesIn } from "./table.ts";
import { readValue, showValue, type Value } from "./value.ts";

/** Every option's value, read and checked. */
export interface Settings extends Limits {
  port: number;
  hostname: string;
  unix: string | undefined;
  listen: readonly string[];
  /** 0: "auto". */
  parallel: number;
  h2c: boolean;
  compress: boolean;
  admin: string | undefined;
  adminInsecure: boolean;
  logFormat: "auto" | "json" | "text";
  accessLog: boolean;
  tls: "auto" | "self-signed" | "off";
  tlsCert: readonly string[];
  tlsKey: readonly string[];
  tlsPfx: readonly string[];
  tlsPassphraseFile: string | undefined;
  tlsOcsp: readonly string[];
  tlsPolicy: "intermediate" | "modern";
  tlsClientAuth: "none" | "request" | "require";
  tlsClientCa: string | undefined;
  hsts: string | undefined;
  redirectHttp: string | undefined;
  /** 0: the server's own. */
  redirectPort: number;
  tlsTicketKeys: string | undefined;
  proxyProtocol: boolean;
  trustProxy: readonly string[];
  wsIdleTimeout: number;
  wsMessageTimeout: number;
  wsCloseTimeout: number;
  wsMaxMessageBytes: number;
  wsMaxFrameBytes: number;
  wsMaxBufferedBytes: number;
  wsCompression: "on" | "off";
  wsMemory: number;
  fetchConnectTimeout: number;
  fetchHeaderTimeout: number;
  fetchBodyTimeout: number;
  fetchIdleTimeout: number;
  fetchMaxIdlePerHost: number;
  fetchMaxIdle: number;
  cacheMaxBytes: number;
  traceTasks: boolean;
  stallWarning: number;
  traceStalls: boolean;
}

export type Source = "flag" | "environment" | "file" | "default";

/** What was said in one place. Plain data: `run --watch` sends it to its children. */
export interface Level {
  readonly source: Source;
  readonly values: Partial<Settings>;
  /** How the place names each of them: "--read-timeout", "SLIPWAY_READ_TIMEOUT", "server.ts". */
  readonly from: Readonly<Record<string, string>>;
  /** Of durations written as small bare numbers: seconds were meant, probably. By option. */
  readonly doubts: Readonly<Record<string, string>>;
}

/** One option as `--print-config` and the admin port's /config show it. */
export interface ConfigEntry {
  readonly name: OptionName;
  readonly value: string;
  readonly source: Source;
  readonly from?: string;
}

export interface Resolved {
  readonly settings: Settings;
  readonly entries: readonly ConfigEntry[];
}

/** Of a duration that is a small bare number. Bun's idleTimeout counts seconds, up to 255. */
export function doubtAbout(option: Option, value: unknown, what: string): string | undefined {
  if (option.kind !== "duration") return undefined;
  const bare = typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value.trim()));
  const ms = Number(value);
  if (!bare || ms === 0 || ms >= 256) return undefined;
  return `${what} is ${ms} milliseconds: write "${ms}s" for seconds, or "${ms}ms" if it is meant`;
}

class Reader {
  readonly source: Source;
  readonly values: Record<string, Value> = {};
  readonly from: Record<string, string> = {};
  readonly doubts: Record<string, string> = {};

  constructor(source: Source) {
    this.source = source;
  }

  read(option: Option, value: unknown, what: string, from: string, typed: boolean): void {
    const read = readValue(option, value, what, typed);
    this.values[option.name] = read;
    this.from[option.name] = from;
    const doubt = doubtAbout(option, value, what);
    if (doubt !== undefined) this.doubts[option.name] = doubt;
  }

  get level(): Level {
    return { source: this.source, values: this.values as Partial<Settings>, from: this.from, doubts: this.doubts };
  }
}

/** The command line's: `values` as commander (camelCase) and node:util's parseArgs (kebab-case) leave them. */
export function readFlags(values: Readonly<Record<string, unknown>>): Level {
  const reader = new Reader("flag");
  for (const option of optionTable) {
    const flag = flagOf(option);
    const value = values[flag] ?? values[option.flag ?? option.name];
    if (value !== undefined) reader.read(option, value, `--${flag}`, `--${flag}`, false);
  }
  oneAddress(reader.values, (a, b) => {
    const both = `${flagFor(a)} and ${flagFor(b)} exclude each other`;
    return `${both}: ${a === "listen" ? "give every address with --listen" : "a server listens on a path or on a port"}`;
  });
  return reader.level;
}

/** The environment's. An empty variable is as good as none. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Level {
  const reader = new Reader("environment");
  if (variablesIn(env).length === 0) return reader.level;
  for (const option of optionTable) {
    const name = variableOf(option);
    const value = env[name];
    if (value) reader.read(option, value, `the environment's ${name}`, name, false);
  }
  const { unix, port, ...rest } = reader.values;
  // A host beside a path has always been let be: it is often set for a whole machine.
  oneAddress(unix === undefined ? reader.values : { ...rest, unix, port, hostname: undefined }, (a, b) => {
    return `${variableFor(a)} and ${variableFor(b)} are both set: unset one of them`;
  });
  return reader.level;
}

/**
 * The file's: fields of the default export. Frameworks export objects with all kinds of fields, so but for the address
 * only a plain object's own ones count.
 */
export function readFile(exported: Readonly<Record<string, unknown>>, file: string): Level {
  const reader = new Reader("file");
  const plain = isPlain(exported);
  for (const option of optionTable) {
    if (option.group !== "address" && !(plain && Object.hasOwn(exported, option.name))) continue;
    // Inherited fields of this name are methods of something else.
    if (option.name === "listen" && !plain) continue;
    let { name } = option as { name: string };
    if (exported[name] === undefined && option.kind === "text" && option.alias !== undefined) name = option.alias;
    const value = exported[name];
    if (value === undefined) continue;
    reader.read(option, value, `${file}: '${name}' of the default export`, file, true);
  }
  const { hostname: _, ...values } = reader.values;
  oneAddress(values, (a, b) => `${file}: the default export has both '${b}' and '${a}': keep one of them`);
  return reader.level;
}

/** Whether its fields were written down by the program's author: no instance of a class, no framework's app. */
export function isPlain(exported: unknown): boolean {
  if (typeof exported !== "object" || exported === null) return false;
  const prototype = Object.getPrototypeOf(exported);
  return prototype === Object.prototype || prototype === null;
}

function oneAddress(values: Readonly<Record<string, Value>>, message: (a: string, b: string) => string): void {
  for (const [name, others] of [
    ["unix", ["port", "hostname"]],
    ["listen", ["port", "hostname", "unix"]],
  ] as const) {
    const other = others.find((one) => values[one] !== undefined);
    if (values[name] !== undefined && other !== undefined) throw new OptionError(message(name, other));
  }
}

/** Puts the levels together, the strongest first. */
export function resolve(levels: readonly Level[]): Resolved {
  const settings: Record<string, Value> = {};
  const entries: ConfigEntry[] = [];
  const kinds = addressNames(levels);
  for (const option of optionTable) {
    const name = option.name as OptionName;
    const applies = option.group !== "address" || kinds.includes(name);
    const level = applies ? levels.find((one) => one.values[name] !== undefined) : undefined;
    const value: Value = level?.values[name] ?? option.default;
    settings[name] = value;
    if (!applies) continue;
    const { source = "default", from } = level ?? {};
    entries.push({ name, value: showValue(option, value), source, from: from?.[name] });
  }
  return { settings: settings as unknown as Settings, entries };
}

/** Which of the address's options hold. */
function addressNames(levels: readonly Level[]): readonly string[] {
  for (const { values } of levels) {
    if (values.listen !== undefined) return ["listen"];
    if (values.unix !== undefined) return ["unix"];
    if (values.port !== undefined || values.hostname !== undefined) break;
  }
  return ["port", "hostname"];
}

/** What is doubtful about the values that hold. */
export function doubtful({ entries }: Resolved, levels: readonly Level[]): string[] {
  return entries.flatMap(({ name, source }) => levels.find((one) => one.source === source)?.doubts[name] ?? []);
}

/** Options without a limit, but for those that have none by default: to be warned about once. */
export function unlimited({ settings, entries }: Resolved): ConfigEntry[] {
  return entries.filter(
    ({ name, source }) =>
      settings[name] === Number.POSITIVE_INFINITY && source !== "default" && name !== "stallWarning",
  );
}

function flagFor(name: string): string {
  return `--${flagOf(optionNamed(name))}`;
}

function variableFor(name: string): string {
  return variableOf(optionNamed(name));
}

function optionNamed(name: string): Option {
  const option = optionTable.find((one) => one.name === name);
  if (option === undefined) throw new Error(`no option ${name}`);
  return option;
}

/**
 * Where the runtime says what nobody else could be told: what failed in the background, which limit was met. Without a
 * logger it is one line on standard error, the stack after it; `src/log` puts a structured logger in its place. What is
 * said here is said in the middle of somebody's work, so a log that cannot be written stops nothing, and one kind of
 * message comes a few times a second at most, however often a client provokes it.
 */
import { describeError } from "./error-text.ts";
import { countDropped, MessageRate } from "./log-rate.ts";
import { MOST_FIELD, MOST_MESSAGE, printable, shortened } from "./printable.ts";

export type LogLevel = "info" | "warn" | "error";
/** Named as in the semantic conventions of OpenTelemetry, where these have a name for it. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields;
  /** What was thrown, which may be anything. */
  readonly thrown?: { readonly value: unknown };
  /** What whoever started the process waits for: plain text, unless JSON was asked for by name. */
  readonly announcement?: true;
  /** What somebody asked this process to show. */
  readonly table?: LogTable;
}

/** Rows for programs, if JSON was asked for by name, and the same as text for people. */
export interface LogTable {
  readonly name: string;
  readonly rows: readonly object[];
  readonly text: string;
}

export type LogSink = (entry: LogEntry) => void;

/** Something failed that nobody awaits. */
export function logError(what: string, error: unknown, fields?: LogFields): void {
  say({ level: "error", message: what, fields, thrown: { value: error } });
}

/** One line about something that goes on by itself but that the operator should know. */
export function logLine(line: string): void {
  if (!hushed) say({ level: "warn", message: line });
}

/**
 * The same with a level and fields. What differs from one occurrence to the next goes into the fields: then all of them
 * are one kind of message, of which only so many a second are written.
 */
export function logEvent(level: LogLevel, message: string, fields?: LogFields): void {
  say({ level, message, fields });
}

/** "Listening on …": what scripts wait for. */
export function announce(line: string): void {
  if (!announces || alreadySaid?.has(line)) return;
  alreadySaid?.add(line);
  write({ level: "info", message: line, announcement: true });
}

/** A version of this program before has announced these, to whom this one speaks too: they are not said again, until `undefined`. */
export function announceOnce(said: Set<string> | undefined): void {
  alreadySaid = said;
}

let alreadySaid: Set<string> | undefined;

/** Another thread says so already. */
export function announceNothing(): void {
  announces = false;
}

let announces = true;

/** While a program is loaded that another thread has loaded before: what there is to say of it has been said. */
export function hushLines(on: boolean): void {
  hushed = on;
}

let hushed = false;

/** A table that was asked for: all of it, or in JSON one entry. */
export function logTable(message: string, table: LogTable): void {
  write({ level: "info", message, table });
}

/** Puts a logger in place of plain standard error; `json` tells whether its lines are JSON. Returns the way back. */
export function replaceLog(next: LogSink, json: () => boolean = () => false): () => void {
  const before = { sink, isJson };
  sink = next;
  isJson = json;
  return () => {
    ({ sink, isJson } = before);
  };
}

let sink: LogSink = toConsole;
let isJson = (): boolean => false;

/** For the few who have to write lines of the log by themselves. */
export function logIsJson(): boolean {
  return isJson();
}
const rate = new MessageRate(write);

function say(entry: LogEntry): void {
  if (rate.admits(entry)) write(entry);
}

function write(entry: LogEntry): void {
  try {
    sink(entry);
  } catch {
    // Nobody is left to tell.
    countDropped("failed", 1);
  }
}

function toConsole(entry: LogEntry): void {
  if (entry.table !== undefined) process.stderr.write(entry.table.text);
  else console.error(entry.announcement ? entry.message : `slipway: ${entryText(entry)}`);
}

/** An entry as people read it: one line, the stack after it. */
export function entryText({ message, fields, thrown }: LogEntry): string {
  let text = shortened(message, MOST_MESSAGE);
  for (const name in fields) if (fields[name] !== undefined) text += ` ${name}=${fieldText(fields[name])}`;
  if (thrown !== undefined) text += `: ${describeError(thrown.value)}`;
  return printable(text);
}

/** Quoted where a reader could take it for two fields. */
function fieldText(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  const text = shortened(value, MOST_FIELD);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

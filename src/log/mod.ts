/**
 * The log of a server: everything that `runtime/log.ts` is told, as JSON lines for programs or as text for people, on
 * standard error, which is never waited for (`channel.ts`). What the user's program prints is its own.
 */
import { entryText, type LogEntry, type LogTable, replaceLog } from "../runtime/log.ts";
import type { DropReason } from "../runtime/log-rate.ts";
import { type Channel, openChannel } from "./channel.ts";
import { type JsonLines, jsonLines, plainJsonLine } from "./json.ts";
import { LogOutput } from "./output.ts";
import { isoTime } from "./time.ts";

export { droppedLines } from "../runtime/log-rate.ts";

/** `auto` is text where standard output and standard error are a terminal, else JSON. */
export type LogFormat = "auto" | "json" | "text";

export interface LogSettings {
  readonly format: LogFormat;
}

/** Where lines go, opened when there is one to write. */
export interface OpenLog {
  readonly output: LogOutput;
  readonly format: "json" | "text";
}

const STDERR = 2;
/** See channel.ts. */
const fs = process.getBuiltinModule("node:fs");
let format: LogFormat = "auto";
let output: LogOutput | undefined;
let channel: Channel | undefined;
let json: JsonLines | undefined;
/** What `auto` has come to. */
let chosen: "json" | "text" | undefined;
let started = false;

/**
 * From here on the log has this format. Costs nothing until a line is written. "Listening on …" stays plain text, which
 * scripts wait for, unless `json` was asked for by name: then it is the line's `message`.
 */
export function startLog(settings: LogSettings): void {
  format = settings.format;
  chosen = undefined;
  if (started) return;
  started = true;
  replaceLog(write, () => (chosen ??= choose()) === "json");
  process.on("exit", () => output?.close());
}

/** The log as it is open now, for the access log. */
export function openLog(): OpenLog {
  channel ??= openChannel(STDERR);
  output ??= new LogOutput(channel, { dropLine });
  return { output, format: (chosen ??= choose()) };
}

function choose(): "json" | "text" {
  if (format !== "auto") return format;
  return isTerminal(1) && isTerminal(STDERR) ? "text" : "json";
}

function dropLine(reason: DropReason, lines: number): string {
  // A file has no reader who could be slow.
  const slow =
    channel?.kind === "later" ? "they came faster than the file takes them" : "whoever reads the log did not keep up";
  const why = reason === "full" ? slow : "the log could not be written";
  const message = `${lines} lines of the log were dropped: ${why}`;
  return chosen === "text" ? textLine({ level: "warn", message }) : plainJsonLine("warn", message);
}

function write(entry: LogEntry): void {
  if (entry.announcement) return tellAtOnce(entry);
  const { output, format } = openLog();
  if (entry.table !== undefined) return output.write(tableText(entry, entry.table));
  if (format === "text") return output.write(textLine(entry));
  json ??= jsonLines((line) => output.write(line));
  json.entry(entry);
}

/** People ask for a table, with kill(1), and read it as text, unless they have said that programs read all. */
function tableText({ level, message }: LogEntry, { name, rows, text }: LogTable): string {
  return format === "json" ? plainJsonLine(level, message, { [name]: rows }) : text;
}

/** At every start, so by the shortest way: no channel is opened, and pino is not loaded. */
function tellAtOnce({ level, message }: LogEntry): void {
  const line = format === "json" ? plainJsonLine(level, message) : `${message}\n`;
  if (output !== undefined) return output.write(line);
  try {
    fs.writeSync(STDERR, line);
  } catch {
    openLog().output.write(line);
  }
}

function textLine(entry: LogEntry): string {
  return `${isoTime(Date.now())} ${entry.level} slipway: ${entryText(entry)}\n`;
}

/** Only what is a character device is asked further: loading node:tty is half a millisecond. */
function isTerminal(fd: number): boolean {
  try {
    return fs.fstatSync(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    return false;
  }
}

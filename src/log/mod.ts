/**
 * The log of a server: everything that `runtime/log.ts` is told, as JSON lines for programs or as text for people, on
 * standard error, which is never waited for (`channel.ts`). What the user's program prints is its own.
 */
import fs from "node:fs";
import { entryText, type LogEntry, replaceLog } from "../runtime/log.ts";
import type { DropReason } from "../runtime/log-rate.ts";
import { openChannel } from "./channel.ts";
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
let format: LogFormat = "auto";
let log: OpenLog | undefined;
let json: JsonLines | undefined;
let started = false;

/**
 * From here on the log has this format. Costs nothing until a line is written. "Listening on …" stays plain text, which
 * scripts wait for, unless `json` was asked for by name: then it is the line's `message`.
 */
export function startLog(settings: LogSettings): void {
  format = settings.format;
  log = json = undefined;
  if (started) return;
  started = true;
  replaceLog(write);
  process.on("exit", () => log?.output.close());
}

/** The log as it is open now, for the access log. */
export function openLog(): OpenLog {
  return (log ??= open());
}

function open(): OpenLog {
  const text = format === "text" || (format === "auto" && isTerminal(1) && isTerminal(STDERR));
  const dropLine = (reason: DropReason, lines: number) => {
    const entry: LogEntry = { level: "warn", message: dropText(reason, lines) };
    return text ? textLine(entry) : plainJsonLine("warn", entry.message);
  };
  return { output: new LogOutput(openChannel(STDERR), { dropLine }), format: text ? "text" : "json" };
}

function write(entry: LogEntry): void {
  if (entry.announcement) return tellAtOnce(entry);
  const { output, format } = openLog();
  if (format === "text") return output.write(textLine(entry));
  json ??= jsonLines((line) => output.write(line));
  json.entry(entry);
}

/** At every start, so by the shortest way: no channel is opened, and pino is not loaded. */
function tellAtOnce({ level, message }: LogEntry): void {
  const line = format === "json" ? plainJsonLine(level, message) : `${message}\n`;
  if (log !== undefined) return log.output.write(line);
  try {
    fs.writeSync(STDERR, line);
  } catch {
    openLog().output.write(line);
  }
}

function textLine(entry: LogEntry): string {
  return `${isoTime(Date.now())} ${entry.level} slipway: ${entryText(entry)}\n`;
}

function dropText(reason: DropReason, lines: number): string {
  const why = reason === "full" ? "whoever reads the log did not keep up" : "the log could not be written";
  return `${lines} lines of the log were dropped: ${why}`;
}

/** Only what is a character device is asked further: loading node:tty is half a millisecond. */
function isTerminal(fd: number): boolean {
  try {
    return fs.fstatSync(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    return false;
  }
}

/**
 * The log as JSON lines, written by pino: `{"level":"warn","time":"…","pid":1,…fields,"message":"…"}`. Pino is loaded by
 * the first line, not by a start: that is 4 ms.
 */
import type { Logger } from "pino";
import { describeError } from "../runtime/error-text.ts";
import type { LogEntry, LogFields, LogLevel } from "../runtime/log.ts";
import { MOST_FIELD, MOST_MESSAGE, shortened } from "../runtime/printable.ts";
import { isoTime } from "./time.ts";

const MOST_SUMMARY = 1024;

export interface JsonLines {
  entry(entry: LogEntry): void;
  line(level: LogLevel, fields: LogFields, message: string): void;
}

/** Writes lines to `write`, each with its line end. */
export function jsonLines(write: (line: string) => void): JsonLines {
  const logger = openPino((line) => write(inert(line)));
  const line = (level: LogLevel, fields: LogFields, message: string) => logger[level](fields, message);
  return {
    line,
    entry({ level, message, fields, thrown }) {
      const text = shortened(message, MOST_MESSAGE);
      const its = shortFields(fields);
      if (thrown === undefined) line(level, its, text);
      else line(level, { ...its, ...exceptionFields(thrown.value) }, `${text}: ${summary(thrown.value)}`);
    },
  };
}

/** One line without pino, for the line that comes at every start, and for fields that are no plain values. */
export function plainJsonLine(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): string {
  return inert(`${JSON.stringify({ level, time: isoTime(Date.now()), pid: process.pid, ...fields, message })}\n`);
}

function openPino(write: (line: string) => void): Logger<never> {
  // The bundler of our executable understands only the first form, Node's ES modules only the second.
  const { pino } = (
    typeof require === "function"
      ? require("pino")
      : process.getBuiltinModule("node:module").createRequire(import.meta.url)("pino")
  ) as typeof import("pino");
  return pino(
    {
      base: { pid: process.pid },
      messageKey: "message",
      timestamp: () => `,"time":"${isoTime(Date.now())}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
}

/**
 * The same JSON with escapes for characters that it may hold as they are, but that act on a terminal or end a line there
 * (runtime/printable.ts): reading it gives what was sent.
 */
export function inert(line: string): string {
  return /^[\n\x20-\x7e]*$/.test(line) ? line : line.replace(/[\x7f-\x9f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  let text = "";
  for (let i = 0; i < character.length; i++) text += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return text;
}

function shortFields(fields: LogFields = {}): LogFields {
  const short: Record<string, LogFields[string]> = {};
  for (const [name, value] of Object.entries(fields)) {
    short[name] = typeof value === "string" ? shortened(value, MOST_FIELD) : value;
  }
  return short;
}

/** OpenTelemetry's names for what was thrown. */
function exceptionFields(value: unknown): LogFields {
  return {
    "exception.type": attempt(() => (value instanceof Error ? value.name : typeof value)),
    "exception.message": attempt(() => shortened(value instanceof Error ? value.message : "", MOST_MESSAGE)),
    "exception.stacktrace": describeError(value),
  };
}

/** The first line of what the text format shows. */
function summary(value: unknown): string {
  const [first] = describeError(value, (stack) => stack.split("\n", 1)[0]).split("\n", 1);
  return shortened(first, MOST_SUMMARY);
}

/** Errors may be Proxies, and their messages getters that throw. */
function attempt(read: () => string): string | undefined {
  try {
    return String(read()) || undefined;
  } catch {
    return undefined;
  }
}

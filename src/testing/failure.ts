/** Errors of tests, as reports show them: the author's frames, and the line that threw. */
import { readFileSync } from "node:fs";
import { describeError } from "../runtime/error-text.ts";
import type { Failure, Place } from "./protocol.ts";

/** Below the author's frames: what calls tests. The names are those of the functions in run.ts and of the loader. */
const OURS = /^ {4}at (?:async )?(?:callTest|callBench|loadProgram) \(|<entry>:/;

/** Frames that nobody can change. */
const HOST = /^ {4}at .*(?:\(node:|at node:|\bnode:internal)/;

/** Ours, when we run from source; in the executable ours are called `slipway:…`. */
const OWN_SOURCES = new URL("../../", import.meta.url).href;

/** What was thrown. */
export function failureOf(error: unknown): Failure {
  try {
    const [message, stack] = describe(error, 0, new Set());
    return { message, stack, at: placeIn(stack) };
  } catch {
    // A getter or a Proxy that throws.
    return plainFailure(`something that cannot be shown (${typeof error})`);
  }
}

/** Causes of causes: as many as somebody reads. */
const mostLevels = 8;

/** The error's own words, and its frames with its causes behind them. */
function describe(error: unknown, level: number, seen: Set<unknown>): [message: string, stack: string] {
  if (!(error instanceof Error)) return [typeof error === "string" ? error : describeError(error), ""];
  if (seen.has(error) || level === mostLevels) return [`${error.name}: ${error.message} (shown above)`, ""];
  seen.add(error);
  const text = String(error.stack ?? `${error.name}: ${error.message}`);
  const start = text.search(/\n {4}at /);
  let message = start < 0 ? text : text.slice(0, start);
  const stack = start < 0 ? [] : authorOnly(text.slice(start + 1));
  if (error instanceof AggregateError && Array.isArray(error.errors)) {
    for (const one of error.errors) message += `\n${indented(describe(one, level + 1, seen))}`;
  }
  if (error.cause !== undefined) {
    const [said, frames] = describe(error.cause, level + 1, seen);
    stack.push(`Caused by: ${said}`);
    if (frames !== "") stack.push(frames);
  }
  return [message, stack.join("\n")];
}

function indented(parts: readonly string[]): string {
  const text = parts.filter((part) => part !== "").join("\n");
  return text.replace(/^/gm, "    ");
}

/** Of a test that waits for nothing that could still come: Deno's words. */
export const stillPending = "Promise resolution is still pending but the event loop has already resolved.";

/** A failure that nobody threw. */
export function plainFailure(message: string): Failure {
  return { message, stack: "" };
}

function authorOnly(stack: string): string[] {
  const lines: string[] = [];
  for (const line of stack.split("\n")) {
    if (OURS.test(line)) break;
    if (!HOST.test(line)) lines.push(line);
  }
  return lines;
}

/** Frames of a stack that are neither the host's nor ours. */
export function authorFrames(stack: string): string[] {
  return authorOnly(stack).filter(
    (line) => /^ {4}at /.test(line) && !line.includes(OWN_SOURCES) && !/\bslipway:/.test(line),
  );
}

/** Where `above` was called: the first frame that is no package's, else the first. */
export function authorPlace(above: (...args: never[]) => unknown): Place | undefined {
  return placeIn(stackAbove(above, 30));
}

/** The stack from where `above` was called; frames of awaits too. */
export function stackAbove(above: (...args: never[]) => unknown, frames = 40): string {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  Error.captureStackTrace(holder, above);
  const stack = holder.stack ?? "";
  Error.stackTraceLimit = limit;
  return stack;
}

/** The first of the author's own lines in a stack; a package's when there is no other. */
export function placeIn(stack: string): Place | undefined {
  let first: Place | undefined;
  for (const line of stack.split("\n")) {
    if (OURS.test(line)) break;
    const [, file, row, column] = /^ {4}at (?:.*\()?(?:file:\/\/)?(\/[^()]*?):(\d+):(\d+)\)?$/.exec(line) ?? [];
    if (file === undefined || line.includes(OWN_SOURCES)) continue;
    const place = { file, line: Number(row), column: Number(column) };
    if (!/\/node_modules\//.test(file)) return place;
    first ??= place;
  }
  return first;
}

/** The line at a place, and a caret under its column; nothing where the file cannot be read. */
export function codeFrame(place: Place | undefined): string {
  if (place === undefined) return "";
  try {
    const line = readFileSync(place.file, "utf8").split("\n")[place.line - 1];
    if (line === undefined || line.trim() === "") return "";
    // A line of generated code helps nobody; one that is a little too long is cut around what is meant.
    if (line.length > 2000) return "";
    const from = place.column > 140 ? place.column - 61 : 0;
    const shown = line.slice(from, from + 160);
    const before = shown.slice(0, Math.max(0, place.column - 1 - from)).replace(/[^\t]/g, " ");
    return `${shown}\n${before}^\n`;
  } catch {
    return "";
  }
}

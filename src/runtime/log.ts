import { describeError } from "./error-text.ts";

/**
 * Where the runtime says what nobody else could be told: one line on standard error, the stack after it. What is said
 * here is said in the middle of somebody's work, so a log that cannot be written stops nothing.
 */
export function logError(what: string, error: unknown): void {
  logLine(`${what}: ${describeError(error)}`);
}

/** One line about something that goes on by itself but that the operator should know. */
export function logLine(line: string): void {
  try {
    console.error(`slipway: ${line}`);
  } catch {
    // Nobody is left to tell.
  }
}

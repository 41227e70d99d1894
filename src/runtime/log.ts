/** Where the runtime says what nobody else could be told: one line on standard error, the stack after it. */
export function logError(what: string, error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  console.error(`slipway: ${what}: ${detail}`);
}

/** One line about something that goes on by itself but that the operator should know. */
export function logLine(line: string): void {
  console.error(`slipway: ${line}`);
}

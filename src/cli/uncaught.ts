/**
 * What the user's program throws outside of any handler: Node would print the line of the bundle that threw; what helps
 * is the author's own line, which the stack has.
 */
import { hasFailed, isHandled } from "../deno/global-events.ts";
import { stackOf } from "./errors.ts";
import { tell } from "./output.ts";

/** From here on an uncaught error is shown by its stack alone, and ends the process with 1, as in Deno. */
export function reportUncaught(): void {
  if (!process.listeners("uncaughtException").includes(report)) process.on("uncaughtException", report);
}

function report(error: unknown, origin: string): void {
  if (isHandled(error, origin)) return;
  // A program with a listener of its own decides for itself, as in Node.
  if (process.listenerCount("uncaughtException") > 1) return;
  const text = stackOf(error);
  tell(`${origin === "unhandledRejection" ? "Uncaught (in promise)" : "Uncaught"} ${text}\n`);
  hasFailed();
  process.exit(1);
}

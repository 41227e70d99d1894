/**
 * How the command line fails.
 *
 * A `Failure` is something that the person at the keyboard can mend: it is shown as one line that says what happened
 * and what to do, never with a stack. Anything else that is thrown is a fault of ours or of the user's program, and
 * keeps its stack. Exit codes: 0 done, 1 failed, 2 the command line itself was wrong.
 */
import { describeError } from "../runtime/error-text.ts";
import { tell } from "./output.ts";

export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exitCode: number = 1;
}

/** The user's sources are wrong: the text names file, line and column, and shows the code, as compilers do. */
export class SourceFailure extends Failure {
  override readonly name: string = "SourceFailure";
}

/** The user's program threw as it was loaded: the stack is the user's own, and wanted. */
export class ProgramFailure extends Failure {
  override readonly name: string = "ProgramFailure";

  constructor(file: string, error: unknown) {
    // Where nothing can be listened on the program is not to blame, and our own message says what to do.
    const known = error instanceof Error && /^Addr(InUse|NotAvailable)$/.test(error.name);
    super(`${file} failed as it was loaded: ${known ? error.message : stackOf(error)}`, { cause: error });
  }
}

/** The command line was wrong: unknown verb or flag, a bad value, two flags that exclude each other. */
export class UsageError extends Failure {
  override readonly name: string = "UsageError";
  override readonly exitCode: number = 2;
}

/** For a form that `--print-config` does not have. */
export function noFormat(word: string, help: string): string {
  return `${word} is no form of it: write --print-config for text, or --print-config=json; see ${help}`;
}

/** The text to show for an error: one line for what people can mend, the stack for what they cannot. */
export function errorText(error: unknown, program: string): string {
  if (error instanceof SourceFailure) return error.message;
  if (error instanceof Failure) return `${program}: ${error.message}`;
  // By name: the poller's module is not loaded by those who need none.
  if (error instanceof Error && error.name === "NoPoller") return `${program}: ${error.message}`;
  return `${program}: unexpected ${stackOf(error)}`;
}

/** Shows an error on stderr and ends the process with the exit code that belongs to it. */
export function die(error: unknown, program: string): never {
  tell(`${errorText(error, program)}\n`);
  process.exit(error instanceof Failure ? error.exitCode : 1);
}

/** The first frame that is no longer the program's, with the event loop's above it, and all below it. */
const ours =
  /(?:\n {4}at process\.processTicksAndRejections [^\n]*)?(?:\n {4}at (?:async )?(?:[^\n]*<entry>:|loadProgram \()[\s\S]*)?$/;

/** An error's stack with those of its causes; of a program's load, only the frames that are the program's. */
export function stackOf(error: unknown): string {
  return describeError(error, (stack) => stack.replace(ours, ""));
}

/** The system's own code of an error (`EADDRINUSE`, `ENOENT`, …), or "". */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

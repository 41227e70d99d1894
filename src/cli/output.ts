/**
 * Standard output and error that cannot be written: the reader of a pipe is gone (EPIPE), the disk of a log is full
 * (ENOSPC). Node makes an uncaught error of it that ends the process; a server must outlive its log, and a command ends
 * in silence or with a line.
 *
 * The streams and what they load cost more than a millisecond of a start, and many servers never write: so the listener
 * is put in place when a stream is first asked for.
 */
import { writeSync } from "node:fs";

const names = ["stdout", "stderr"] as const;
type Name = (typeof names)[number];

/** Replaced as it becomes known what this process is. */
let lost: (error: unknown, name: Name) => void = () => {};
let guarded = false;
let used = false;
/** Whether to ask for a stream is to use it. In a worker thread Node itself asks. */
let asked = true;

/** From here on output that is lost ends nothing, as in Deno. Streams recover: what fits on the disk again is written. */
export function outliveOutput(): void {
  lost = () => {};
  guard();
}

/**
 * From here on the command ends when its output is lost: with 0 and in silence when its reader has had enough
 * (`slipway help | head -1`), else with 1 and one line.
 */
export function endWithOutput(): void {
  lost = (error, name) => {
    if (codeOf(error) === "EPIPE") process.exit();
    // On stderr there is nothing more to say.
    if (name === "stdout") tell(`slipway: standard output could not be written: ${(error as Error).message}\n`);
    process.exit(1);
  };
  guard();
}

/** From here on it is noted whether anybody asks for standard output or error, `console` for one; gives what was noted. */
export function noteOutput(): () => boolean {
  used = false;
  return () => used;
}

/** In a worker thread: what is called when the program writes. */
export function noteWrites(): () => void {
  asked = false;
  return () => {
    used = true;
  };
}

/** Writes a line to stderr without the stream, which costs 1.3 ms of a start of 26. */
export function tell(text: string): void {
  try {
    writeSync(2, text);
  } catch (error) {
    // A pipe that is full for now, and not ours alone to make blocking. What is lost for good is lost.
    if (codeOf(error) === "EAGAIN") process.stderr.write(text);
  }
}

function guard(): void {
  if (guarded) return;
  guarded = true;
  for (const name of names) {
    const original = Object.getOwnPropertyDescriptor(process, name);
    if (original?.get === undefined) continue;
    let heard = false;
    Object.defineProperty(process, name, {
      ...original,
      get() {
        used ||= asked;
        const stream = original.get?.call(process);
        if (!heard) stream.on("error", (error: unknown) => lost(error, name));
        heard = true;
        return stream;
      },
    });
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

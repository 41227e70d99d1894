/** How a file is written that is to be executed: whole or not at all. */
import { chmodSync, closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode, Failure } from "./errors.ts";

/** Written beside its destination, then renamed over it: nobody ever sees half of it, a running program keeps its file. */
export function writeExecutable(path: string, ...contents: readonly Iterable<Uint8Array>[]): void {
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    rmSync(part, { force: true });
    const fd = openSync(part, "wx", 0o755);
    try {
      for (const pieces of contents) {
        for (const piece of pieces) {
          for (let offset = 0; offset < piece.byteLength; ) offset += writeSync(fd, piece, offset);
        }
      }
    } finally {
      closeSync(fd);
    }
    // Exactly this mode, whatever the umask.
    chmodSync(part, 0o755);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    if (errorCode(error) === "") throw error;
    // Without the system call and the name of the file beside it, which nobody asked for.
    const why = (error as Error).message.replace(/, \w+ '.*$/s, "");
    throw new Failure(`${path} cannot be written (${why}): choose another place with --output`);
  }
}

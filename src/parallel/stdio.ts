/**
 * A worker's standard output and error. Node would send what it writes there through the main thread's loop, where it is
 * lost when the process ends at once, as `process.exit()` does; written here, it has arrived when the call returns, as in
 * a program with one thread.
 */
import { writeSync } from "node:fs";
import type { Writable } from "node:stream";

/** A pipe that is full is tried again so often. */
const AGAIN_MS = 1;

/** `wrote` is told of each write. */
export function ownOutput(wrote: () => void): void {
  writeHere(process.stdout, 1, wrote);
  writeHere(process.stderr, 2, wrote);
}

/** Node's stream stays in its place, since the main thread calls it by a symbol of its own; only its way out changes. */
function writeHere(stream: Writable, fd: number, wrote: () => void): void {
  stream._write = (chunk: Uint8Array | string, encoding, done) => {
    wrote();
    try {
      writeAll(fd, typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    } catch {
      // Its reader is gone, or the disk full: a server outlives its output, and writes again when that is possible.
    }
    done();
  };
  stream._writev = undefined;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}

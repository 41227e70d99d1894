/**
 * Files with certificates and secrets, of which a few are pipes: `--tls-key <(gpg -d key.gpg)`. A pipe can be read once, so
 * what was in it is kept for who reads it again, other threads among them; and one that nobody writes to is given up.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";

/** How long a pipe's writer may take for its next bytes. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 10;
/** Larger is no certificate. */
const MOST = 4 * 1024 * 1024;

/** Throws the system's error, or a sentence for what can't be read. */
export function readSecretFile(file: string, patience = PATIENCE_MS): Buffer {
  // Opening a pipe would wait for its writer.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (stat.isFIFO()) return readPipe(file, fd, patience);
    if (!stat.isFile() && !stat.isDirectory()) throw new Error("it is neither a file nor a pipe");
    if (stat.size > MOST) throw new Error(`it is larger than ${MOST >> 20} MiB`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readPipe(file: string, fd: number, patience: number): Buffer {
  const { getEnvironmentData, setEnvironmentData } = process.getBuiltinModule("node:worker_threads");
  const key = `slipway pipe ${file}`;
  const before = getEnvironmentData(key) as unknown as Uint8Array | undefined;
  if (before !== undefined) return Buffer.from(before);
  const some = Buffer.alloc(65_536);
  let all = Buffer.alloc(0);
  for (let until = Date.now() + patience; ; ) {
    const n = readSome(fd, some);
    // Without a writer a pipe is at its end: one that has written nothing may not have begun.
    if (n === 0 && all.length > 0) break;
    if (n > 0) {
      all = Buffer.concat([all, some.subarray(0, n)]);
      if (all.length > MOST) throw new Error(`it gives more than ${MOST >> 20} MiB`);
      until = Date.now() + patience;
    } else if (Date.now() > until) throw new Error(`it is a pipe, and nothing came from it for ${patience / 1000} s`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  }
  setEnvironmentData(key, new Uint8Array(all) as never);
  return all;
}

/** -1: there may be more later. */
function readSome(fd: number, into: Buffer): number {
  try {
    return readSync(fd, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return -1;
    throw error;
  }
}

/**
 * Writing to standard error without ever waiting for its reader.
 *
 * The descriptor is shared with whoever started us, so it must not be made non-blocking: that would be so for them too
 * (fcntl(2), O_NONBLOCK belongs to the open file description). And a blocking write on a thread of libuv's pool does not
 * do either: with its pipe full it never returns, and `process.exit()` waits for that thread (measured: until the reader
 * ended). So, by what stands behind the descriptor:
 *
 * - a pipe or a terminal: opened once more through /proc/self/fd, which gives a description of our own, non-blocking;
 * - a socket (systemd's journal, a parent that is Node): send(2) with MSG_DONTWAIT;
 * - a pipe that we may not open (it belongs to another user): asked by epoll whether there is room first. Then one page
 *   fits without waiting (pipe(7));
 * - on Windows a pipe is written to as Node does it, and waited for: neither is to be had there;
 * - a file: on a thread of the pool, where a slow disk holds up nobody, and which always comes back.
 */
import { system } from "../../ffi/libc.ts";
import { isWritable } from "../../ffi/writable.ts";

/** Not by an import of the whole module, for which our bundler copies every one of its names: 0.5 ms of a start. */
const fs = process.getBuiltinModule("node:fs");

export type Channel = NowChannel | LaterChannel;

/** Writes at once what can be written at once. */
export interface NowChannel {
  readonly kind: "now";
  /** How many bytes are written whole or not at all. */
  readonly unit: number;
  /** Bytes written, 0 when there is no room now. Throws when they are lost. */
  write(bytes: Uint8Array): number;
}

/** Writes on another thread. */
export interface LaterChannel {
  readonly kind: "later";
  readonly unit: number;
  write(bytes: Uint8Array, done: (error: Error | null, written: number) => void): void;
  /** For the end of the process, where `done` is not called any more: whether the write has come through. */
  arrived(): boolean;
  writeSync(bytes: Uint8Array): number;
}

/** PIPE_BUF (pipe(7)): writes up to this are never mixed with those of other processes. */
const PIPE_UNIT = 4096;
const UNIT = 65_536;

/** How to write to `fd` without waiting; where nothing of that works, as Node does it. */
export function openChannel(fd: number): Channel {
  try {
    return channelFor(fd);
  } catch {
    return waiting(fd);
  }
}

function channelFor(fd: number): Channel {
  const stat = fs.fstatSync(fd);
  if (stat.isSocket()) return onSocket(fd);
  // Windows neither opens a pipe once more nor says whether it has room: as Node writes to it, waiting for its reader.
  if (stat.isFIFO() && process.platform === "win32") return waiting(fd);
  if (stat.isFIFO()) return onOwnDescription(fd) ?? onProbedPipe(fd);
  // A terminal that we may not open: as Node writes to it, waiting while it is stopped (Ctrl-S).
  if (stat.isCharacterDevice()) return onOwnDescription(fd) ?? waiting(fd);
  return onFile(fd);
}

function waiting(fd: number): NowChannel {
  return nowChannel((bytes) => fs.writeSync(fd, bytes));
}

function nowChannel(write: (bytes: Uint8Array) => number): NowChannel {
  return {
    kind: "now",
    unit: PIPE_UNIT,
    write(bytes) {
      try {
        return write(bytes);
      } catch (error) {
        if (codeOf(error) === "EAGAIN" || codeOf(error) === "EINTR") return 0;
        throw error;
      }
    },
  };
}

function onOwnDescription(fd: number): NowChannel | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  try {
    const own = fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return nowChannel((bytes) => fs.writeSync(own, bytes));
  } catch {
    return undefined;
  }
}

function onSocket(fd: number): Channel {
  const { constants, send } = system();
  const { EAGAIN, EINTR, ENOBUFS } = constants.errno;
  return {
    kind: "now",
    unit: UNIT,
    write(bytes) {
      const written = send(fd, bytes);
      if (written >= 0) return written;
      if (written === -EAGAIN || written === -EINTR || written === -ENOBUFS) return 0;
      throw new Error(`send on the log's socket failed (errno ${-written})`);
    },
  };
}

function onProbedPipe(fd: number): Channel {
  return nowChannel((bytes) => (isWritable(fd) ? fs.writeSync(fd, bytes, 0, Math.min(bytes.length, PIPE_UNIT)) : 0));
}

function onFile(fd: number): LaterChannel {
  let size = 0;
  return {
    kind: "later",
    unit: UNIT,
    write(bytes, done) {
      size = sizeOf(fd) + bytes.length;
      fs.write(fd, bytes, 0, bytes.length, null, (error, written) => done(error, written));
    },
    // Others may write to it as well: then this says yes too early, and lines change places.
    arrived: () => sizeOf(fd) >= size,
    writeSync: (bytes) => fs.writeSync(fd, bytes),
  };
}

/** Infinity when the program has closed it. */
function sizeOf(fd: number): number {
  try {
    return fs.fstatSync(fd).size;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

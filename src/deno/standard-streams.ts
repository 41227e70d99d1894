/** `Deno.stdin`, `Deno.stdout` and `Deno.stderr`: descriptors 0, 1 and 2, read and written directly. */
import { duplicate } from "../../ffi/fcntl.ts";
import { setRaw } from "../../ffi/terminal.ts";
import { type Watch, watch } from "../../ffi/watch.ts";
import { BadResource } from "../runtime/errors.ts";
import { toDenoError } from "./file-errors.ts";
import { isatty } from "./program.ts";

const CHUNK = 65536;
/** Another process may have made a descriptor non-blocking: it is asked again so often. */
const AGAIN_MS = 10;

const fs = () => process.getBuiltinModule("node:fs");

/** Files and devices are always readable, and the loop refuses them. */
function canBeWatched(fd: number): boolean {
  if (process.platform === "win32") return false;
  const stats = fs().fstatSync(fd);
  return stats.isFIFO() || stats.isSocket() || isatty(fd);
}

/** One of the three: open until it is closed here. */
class Descriptor {
  readonly #fd: number;
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    if (this.#closed) throw new BadResource("Bad resource ID");
    return this.#fd;
  }

  /** The descriptor itself stays open: Node uses it too, and its number would be the next file's. */
  close(): void {
    this.#closed = true;
  }

  #watch: Watch | undefined;
  #waiting: (() => void)[] = [];

  /**
   * Until there is something to read, where one can wait for that: a read(2) that blocks holds a thread of the pool, and
   * process.exit() waits for its threads.
   */
  readable(): Promise<void> {
    if (this.#watch === undefined && !canBeWatched(this.fd)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      // By a number of its own: the loop takes one watch of a number, and process.stdin may have it.
      if (this.#watch === undefined) this.#watch = watch(duplicate(this.fd), () => this.#isReadable());
      else this.#watch.start();
      this.#watch.ref();
    });
  }
  #isReadable(): void {
    this.#watch?.stop();
    // Promises do not go on behind the watch's callback.
    setImmediate(() => {
      this.#watch?.unref();
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  /** An operation in a thread of the pool, again while there is nothing. */
  call(start: (fd: number, done: (error: Error | null, count: number) => void) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      const attempt = () =>
        start(this.fd, (error, count) => {
          if (error === null) resolve(count);
          else if ((error as NodeJS.ErrnoException).code === "EAGAIN") setTimeout(attempt, AGAIN_MS);
          // A pipe's end on Windows.
          else if ((error as NodeJS.ErrnoException).code === "EOF") resolve(0);
          else reject(toDenoError(error, "", []));
        });
      attempt();
    });
  }
  callSync(call: (fd: number) => number): number {
    for (;;) {
      try {
        return call(this.fd);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw toDenoError(error, "", []);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  }
}

class Stdin {
  readonly #at = new Descriptor(0);
  #readable: ReadableStream<Uint8Array> | undefined;

  async read(buffer: Uint8Array): Promise<number | null> {
    if (buffer.length === 0) return 0;
    await this.#at.readable();
    const count = await this.#at.call((fd, done) => fs().read(fd, buffer, 0, buffer.length, null, done));
    return count === 0 ? null : count;
  }
  readSync(buffer: Uint8Array): number | null {
    if (buffer.length === 0) return 0;
    const count = this.#at.callSync((fd) => fs().readSync(fd, buffer, 0, buffer.length, null));
    return count === 0 ? null : count;
  }
  get readable(): ReadableStream<Uint8Array> {
    return (this.#readable ??= new ReadableStream(
      {
        type: "bytes",
        pull: async (controller) => {
          const chunk = new Uint8Array(CHUNK);
          const count = await this.read(chunk);
          if (count !== null) return controller.enqueue(chunk.subarray(0, count));
          controller.close();
          controller.byobRequest?.respond(0);
        },
      },
      { highWaterMark: 0 },
    ));
  }
  close(): void {
    this.#at.close();
  }
  isTerminal(): boolean {
    return isatty(this.#at.fd);
  }
  /** Keys come as they are pressed; the terminal is as before when the process ends. */
  setRaw(mode: boolean, options: { cbreak?: boolean } = {}): void {
    try {
      setRaw(this.#at.fd, mode, options.cbreak === true);
    } catch (error) {
      throw rawError(error);
    }
  }
}

class Output {
  readonly #at: Descriptor;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(fd: number) {
    this.#at = new Descriptor(fd);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#at.call((fd, done) => fs().write(fd, bytes, 0, bytes.length, null, done));
  }
  writeSync(bytes: Uint8Array): number {
    return this.#at.callSync((fd) => fs().writeSync(fd, bytes, 0, bytes.length, null));
  }
  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream({
      write: async (chunk) => {
        for (let sent = 0; sent < chunk.length; ) sent += await this.write(chunk.subarray(sent));
      },
      close: () => this.close(),
      abort: () => this.close(),
    }));
  }
  close(): void {
    this.#at.close();
  }
  isTerminal(): boolean {
    return isatty(this.#at.fd);
  }
}

class Stdout extends Output {}
class Stderr extends Output {}

/** As Deno has it: a class of another meaning, a sentence of the C library's, and no code. */
export function rawError(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code === "ENOTTY" ? new BadResource("ENOTTY: Not a typewriter") : error;
}

export const stdin = (): object => new Stdin();
export const stdout = (): object => new Stdout(1);
export const stderr = (): object => new Stderr(2);

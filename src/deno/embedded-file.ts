/** `Deno.open` of a file inside a compiled program: in memory, at its own position, and never written. */
import { readAsset, statAsset } from "../runtime/assets.ts";
import { BadResource, NotSupported } from "../runtime/errors.ts";
import { noteFile } from "../runtime/file-source.ts";

/** Deno.SeekMode's numbers. */
const START = 0;
const CURRENT = 1;
const CHUNK = 65536;

/** An open file in the shape of Deno's FsFile, as far as reading goes. */
export class EmbeddedFile implements Disposable {
  readonly #path: string | URL;
  #bytes: Uint8Array | undefined;
  #position = 0;
  #readable: ReadableStream<Uint8Array> | undefined;

  /** Throws NotFound when the program carries no such file. */
  constructor(path: string | URL) {
    this.#path = path;
    this.#bytes = readAsset(path);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    return this.readSync(buffer);
  }
  readSync(buffer: Uint8Array): number | null {
    const rest = this.#open().subarray(this.#position);
    if (buffer.length === 0) return 0;
    if (rest.length === 0) return null;
    const count = Math.min(rest.length, buffer.length);
    buffer.set(rest.subarray(0, count));
    this.#position += count;
    return count;
  }

  async seek(offset: number | bigint, whence: number): Promise<number> {
    return this.seekSync(offset, whence);
  }
  seekSync(offset: number | bigint, whence: number): number {
    const { length } = this.#open();
    const from = whence === START ? 0 : whence === CURRENT ? this.#position : length;
    if (from + Number(offset) < 0) throw new TypeError("Invalid argument (os error 22)");
    this.#position = Math.min(length, from + Number(offset));
    return this.#position;
  }

  async stat(): Promise<object> {
    return this.statSync();
  }
  statSync(): object {
    const { size = 0, mode = 0, mtimeMs = 0 } = statAsset(this.#path) ?? {};
    const time = new Date(mtimeMs);
    return {
      ...{ isFile: true, isDirectory: false, isSymlink: false, size, mode },
      ...{ mtime: time, atime: time, ctime: time, birthtime: time },
    };
  }

  /** What is left, to be read once. It closes the file at its end, as Deno's does. A response sends it at once. */
  get readable(): ReadableStream<Uint8Array> {
    if (this.#readable !== undefined) return this.#readable;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const chunk = new Uint8Array(CHUNK);
          const count = this.readSync(chunk);
          if (count !== null) return controller.enqueue(chunk.subarray(0, count));
          this.close();
          controller.close();
        },
        cancel: () => this[Symbol.dispose](),
      },
      { highWaterMark: 0 },
    );
    noteFile(stream, { kind: "memory", left: () => this.#bytes?.subarray(this.#position) });
    return (this.#readable = stream);
  }

  close(): void {
    this.#open();
    this.#bytes = undefined;
  }
  [Symbol.dispose](): void {
    this.#bytes = undefined;
  }

  isTerminal(): boolean {
    return false;
  }
  write(): Promise<never> {
    return Promise.reject(this.#readOnly());
  }
  writeSync(): never {
    throw this.#readOnly();
  }

  #open(): Uint8Array {
    if (this.#bytes === undefined) throw new BadResource(`"${this.#path}" is closed`);
    return this.#bytes;
  }
  #readOnly(): Error {
    return new NotSupported(`"${this.#path}" is part of this program and can't be written: write to a file on disk`);
  }
}

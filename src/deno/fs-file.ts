/**
 * `Deno.open` and `Deno.FsFile`. Node has no lseek(2), so a regular file's position is kept here and every read and
 * write says where; what has no positions (pipes, terminals, devices) is read and written as it comes.
 */
import { flock, LOCK } from "../../ffi/flock.ts";
import { setRaw } from "../../ffi/terminal.ts";
import { isEmbedded } from "../runtime/assets.ts";
import { BadResource } from "../runtime/errors.ts";
import { type FileSource, noteFile } from "../runtime/file-source.ts";
import { madeGarbage } from "../runtime/young-garbage.ts";
import { EmbeddedFile } from "./embedded-file.ts";
import { pathOf, toDenoError } from "./file-errors.ts";
import { fileInfo } from "./files.ts";
import { moment, size } from "./paths.ts";
import { isatty } from "./program.ts";
import { rawError } from "./standard-streams.ts";

type Path = string | URL;
type Time = number | Date;

export interface OpenOptions {
  read?: boolean;
  write?: boolean;
  append?: boolean;
  truncate?: boolean;
  create?: boolean;
  createNew?: boolean;
  mode?: number;
}

/** Handed to the constructor by `open` alone. */
const ours = Symbol("Slipway's own");

/** Where `seek` counts from. */
export const SeekMode = { 0: "Start", 1: "Current", 2: "End", Start: 0, Current: 1, End: 2 } as const;

const CHUNK = 65536;
/** The longest that who waits for a lock does not ask. */
const LOCK_WAIT_MS = 50;
const PREFETCH = 1024 * 1024;
/** Where bytes go that are read only to be in the system's memory: nobody looks at them. */
let unwanted: Buffer | undefined;
/** Of streams whose file was closed. */
const CONSUMED = "The stream's underlying resource was closed or consumed";
const fs = () => process.getBuiltinModule("node:fs");

/** Opens a file, for reading unless told otherwise. */
export async function open(path: Path, options: OpenOptions = { read: true }): Promise<FsFile | EmbeddedFile> {
  if (isEmbedded(path)) return new EmbeddedFile(path);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  fs().open(pathOf(path), openFlags(options), options.mode ?? 0o666, (error, fd) => {
    if (error === null) resolve(fd);
    else reject(toDenoError(error, "open", [path]));
  });
  return new FsFile(await promise, options.append === true, ours);
}

export function openSync(path: Path, options: OpenOptions = { read: true }): FsFile | EmbeddedFile {
  if (isEmbedded(path)) return new EmbeddedFile(path);
  try {
    return new FsFile(
      fs().openSync(pathOf(path), openFlags(options), options.mode ?? 0o666),
      options.append === true,
      ours,
    );
  } catch (error) {
    throw toDenoError(error, "open", [path]);
  }
}

const toCreate: OpenOptions = { read: true, write: true, truncate: true, create: true };
/** Makes a file, or empties the one that is there. */
export const create = (path: Path) => open(path, toCreate);
export const createSync = (path: Path) => openSync(path, toCreate);

function openFlags({ read, write, append, truncate, create, createNew }: OpenOptions): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_TRUNC, O_CREAT, O_EXCL } = fs().constants;
  const writes = write === true || append === true;
  if (!(read || writes || truncate || create || createNew)) {
    throw new Error("'options' requires at least one option to be true");
  }
  if (truncate && !write) throw new Error("'truncate' option requires 'write' to be true");
  if ((create || createNew) && !writes) {
    throw new Error("'create' or 'createNew' options require 'write' or 'append' to be true");
  }
  return (
    (read ? (writes ? O_RDWR : O_RDONLY) : O_WRONLY) |
    (append ? O_APPEND : 0) |
    (truncate ? O_TRUNC : 0) |
    (createNew ? O_CREAT | O_EXCL : create ? O_CREAT : 0)
  );
}

function checkBytes(bytes: unknown): void {
  if (!ArrayBuffer.isView(bytes)) throw new TypeError("expected typed ArrayBufferView");
}

/** An open file. */
export class FsFile implements Disposable {
  /** -1 when closed. */
  #fd: number;
  readonly #appends: boolean;
  /** Undefined for what has no positions. */
  #position: number | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** @internal Use `Deno.open`. */
  constructor(fd: number, appends: boolean, key: symbol) {
    if (key !== ours) {
      throw new TypeError("'Deno.FsFile' cannot be constructed, use 'Deno.open()' or 'Deno.openSync()' instead");
    }
    this.#fd = fd;
    this.#appends = appends;
    this.#position = fs().fstatSync(fd).isFile() ? 0 : undefined;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    checkBytes(buffer);
    if (buffer.length === 0) return Promise.resolve(0);
    return this.#call((fd, done) =>
      fs().read(fd, buffer, 0, buffer.length, this.#position ?? null, (error, count) => done(error, count)),
    ).then((count) => this.#advance(count as number));
  }
  readSync(buffer: Uint8Array): number | null {
    checkBytes(buffer);
    if (buffer.length === 0) return 0;
    return this.#advance(this.#sync((fd) => fs().readSync(fd, buffer, 0, buffer.length, this.#position ?? null)));
  }

  async write(bytes: Uint8Array): Promise<number> {
    checkBytes(bytes);
    const count = (await this.#call((fd, done) =>
      fs().write(fd, bytes, 0, bytes.length, this.#target(), (error, count) => done(error, count)),
    )) as number;
    this.#wrote(count);
    return count;
  }
  writeSync(bytes: Uint8Array): number {
    checkBytes(bytes);
    const count = this.#sync((fd) => fs().writeSync(fd, bytes, 0, bytes.length, this.#target()));
    this.#wrote(count);
    return count;
  }

  async seek(offset: number | bigint, whence: number): Promise<number> {
    return this.seekSync(offset, whence);
  }
  seekSync(offset: number | bigint, whence: number): number {
    if (!Object.hasOwn(SeekMode, whence)) throw new TypeError(`Invalid seek mode: ${whence}`);
    const { isFile, size } = this.statSync() as { isFile: boolean; size: number };
    if (!isFile || this.#position === undefined) throw new Error("Illegal seek (os error 29)");
    const from = whence === SeekMode.Start ? 0 : whence === SeekMode.Current ? this.#position : size;
    const position = from + Number(offset);
    if (!(position >= 0)) throw toDenoError(Object.assign(new Error(), { code: "EINVAL" }), "", []);
    this.#position = position;
    return position;
  }

  async stat(): Promise<object> {
    return this.statSync();
  }
  statSync(): object {
    return fileInfo(this.#sync((fd) => fs().fstatSync(fd)));
  }
  async truncate(length?: number): Promise<void> {
    await this.#call((fd, done) => fs().ftruncate(fd, size(length), done));
  }
  truncateSync(length?: number): void {
    this.#sync((fd) => fs().ftruncateSync(fd, size(length)));
  }
  async sync(): Promise<void> {
    await this.#call((fd, done) => fs().fsync(fd, done));
  }
  syncSync(): void {
    this.#sync((fd) => fs().fsyncSync(fd));
  }
  async syncData(): Promise<void> {
    await this.#call((fd, done) => fs().fdatasync(fd, done));
  }
  syncDataSync(): void {
    this.#sync((fd) => fs().fdatasyncSync(fd));
  }
  async utime(atime: Time, mtime: Time): Promise<void> {
    await this.#call((fd, done) => fs().futimes(fd, moment(atime), moment(mtime), done));
  }
  utimeSync(atime: Time, mtime: Time): void {
    this.#sync((fd) => fs().futimesSync(fd, moment(atime), moment(mtime)));
  }
  isTerminal(): boolean {
    return isatty(this.#fd);
  }

  /** Of a terminal: keys come as they are pressed. It is as before when the process ends. */
  setRaw(mode: boolean, options: { cbreak?: boolean } = {}): void {
    try {
      setRaw(this.#open(), mode, options.cbreak === true);
    } catch (error) {
      throw rawError(error);
    }
  }

  /** An advisory lock (flock(2)), shared with other readers unless it is to be exclusive. Asked for until it is there. */
  async lock(exclusive = false): Promise<void> {
    // A parked thread would be one of the few that file operations have.
    for (let wait = 1; !this.tryLockSync(exclusive); wait = Math.min(wait * 2, LOCK_WAIT_MS)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  lockSync(exclusive = false): void {
    this.#lock(exclusive ? LOCK.EXCLUSIVE : LOCK.SHARED);
  }
  async tryLock(exclusive = false): Promise<boolean> {
    return this.tryLockSync(exclusive);
  }
  tryLockSync(exclusive = false): boolean {
    return this.#lock((exclusive ? LOCK.EXCLUSIVE : LOCK.SHARED) | LOCK.NOW);
  }
  async unlock(): Promise<void> {
    this.unlockSync();
  }
  unlockSync(): void {
    this.#lock(LOCK.NONE);
  }

  /** What is left; closes the file at its end. A response that is made of it is sent by the kernel (src/http). */
  get readable(): ReadableStream<Uint8Array> {
    if (this.#readable !== undefined) return this.#readable;
    const source: UnderlyingByteSource = {
      type: "bytes",
      pull: (controller) => this.#pull(controller),
      cancel: () => this[Symbol.dispose](),
    };
    // Nothing is read before somebody asks: the file may be sent as it is.
    const stream = new ReadableStream(source, { highWaterMark: 0 });
    if (this.#position !== undefined) noteFile(stream, this.#source());
    return (this.#readable = stream);
  }
  /** Closes the file when it is closed. */
  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream({
      write: async (chunk) => {
        if (this.#fd < 0) throw new BadResource(CONSUMED);
        for (let sent = 0; sent < chunk.length; ) sent += await this.write(chunk.subarray(sent));
      },
      close: () => this[Symbol.dispose](),
      abort: () => this[Symbol.dispose](),
    }));
  }

  close(): void {
    const fd = this.#open();
    this.#fd = -1;
    fs().closeSync(fd);
  }
  [Symbol.dispose](): void {
    if (this.#fd >= 0) this.close();
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    if (this.#fd < 0) throw new BadResource(CONSUMED);
    const view = controller.byobRequest?.view;
    const lent = view && new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const chunk = lent ?? new Uint8Array(CHUNK);
    const count = await this.read(chunk);
    if (count === null) {
      this[Symbol.dispose]();
      controller.close();
      // A reader that lent its buffer gets it back only so (Streams, ReadableByteStreamControllerClose).
      controller.byobRequest?.respond(0);
    } else if (lent !== undefined) controller.byobRequest?.respond(count);
    else {
      controller.enqueue(chunk.subarray(0, count));
      madeGarbage(CHUNK);
    }
  }

  #source(): FileSource {
    const file = this;
    return {
      kind: "disk",
      get fd() {
        return file.#fd;
      },
      get position() {
        return file.#position ?? 0;
      },
      set position(position) {
        file.#position = position;
      },
      left: () => (file.#fd < 0 ? -1 : fs().fstatSync(file.#fd).size - (file.#position ?? 0)),
      read: (buffer) => file.read(buffer),
      readNow: (buffer, at, length) => {
        const count = file.#sync((fd) => fs().readSync(fd, buffer, at, length, file.#position ?? null));
        file.#advance(count);
        return count;
      },
      prefetch: (offset, length) =>
        new Promise((resolve) => {
          unwanted ??= Buffer.allocUnsafeSlow(PREFETCH);
          fs().read(file.#fd, unwanted, 0, Math.min(length, PREFETCH), offset, () => resolve());
        }),
    };
  }

  #open(): number {
    if (this.#fd < 0) throw new BadResource("Bad resource ID");
    return this.#fd;
  }

  /** False where somebody else has the lock. */
  #lock(operation: number): boolean {
    return this.#sync((fd) => {
      const result = flock(fd, operation);
      if (result === 0) return true;
      const code = process.getBuiltinModule("node:util").getSystemErrorName(result);
      if (code === "EAGAIN") return false;
      throw Object.assign(new Error(code), { code });
    });
  }

  /** O_APPEND ignores positions (open(2)), and Node would warn of them. */
  #target(): number | null {
    return this.#appends ? null : (this.#position ?? null);
  }
  #advance(count: number): number | null {
    if (this.#position !== undefined) this.#position += count;
    return count === 0 ? null : count;
  }
  #wrote(count: number): void {
    if (this.#position === undefined) return;
    this.#position = this.#appends ? fs().fstatSync(this.#open()).size : this.#position + count;
  }

  async #call(start: (fd: number, done: (error: unknown, value?: unknown) => void) => void): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    start(this.#open(), (error, value) => (error ? reject(toDenoError(error, "", [])) : resolve(value)));
    return promise;
  }
  #sync<T>(call: (fd: number) => T): T {
    try {
      return call(this.#open());
    } catch (error) {
      throw toDenoError(error, "", []);
    }
  }
}

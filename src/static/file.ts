/**
 * A file that is to be sent, of a disk or of a compiled program, opened once: what is checked, described and sent is the
 * same file, whatever happens to its name meanwhile.
 */
import { closeSync, constants, fstatSync, open, read, readlinkSync, readSync, realpath } from "node:fs";
import { openCached } from "../../ffi/open-cached.ts";
import { assetPlace, isEmbedded, statAsset } from "../runtime/assets.ts";
import { NotFound } from "../runtime/errors.ts";
import { type DiskFile, noteFile } from "../runtime/file-source.ts";
import { madeGarbage } from "../runtime/young-garbage.ts";
import type { Validators } from "./conditional.ts";
import type { Part } from "./range.ts";

const CHUNK = 65536;
const PREFETCH = 1024 * 1024;
/** What was written within this time may be written again and have the same time (RFC 9110, 8.8.2.2). */
const SETTLED_MS = 2000;

let unwanted: Buffer | undefined;

/** Nothing that can be served: the errno's name, "EISDIR" for a folder, "EXDEV" for what lies outside. */
export type Absent = string;

export class StaticFile implements Validators {
  readonly etag: string;
  readonly modified: number | undefined;
  readonly size: number;
  readonly #fd: number;
  /** Where it begins in what the descriptor is of. */
  readonly #offset: number;
  /** A compiled program's own file stays open. */
  readonly #owned: boolean;
  #closed = false;

  constructor(fd: number, offset: number, size: number, etag: string, modified: number | undefined, owned: boolean) {
    this.#fd = fd;
    this.#offset = offset;
    this.size = size;
    this.etag = etag;
    this.modified = modified;
    this.#owned = owned;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#owned) closeSync(this.#fd);
  }

  /** The part as a stream, which closes the file at its end; a server sends it by sendfile(2) (src/http). */
  stream({ start, end }: Part): ReadableStream<Uint8Array<ArrayBuffer>> {
    const file = this;
    const fd = this.#fd;
    const stop = this.#offset + end;
    let position = this.#offset + start;
    const readSome = (buffer: Uint8Array): Promise<number> =>
      new Promise((resolve, reject) => {
        const length = Math.min(buffer.length, stop - position);
        read(fd, buffer, 0, length, position, (error, count) => {
          if (error !== null) return reject(error);
          position += count;
          resolve(count);
        });
      });
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const chunk = new Uint8Array(Math.min(CHUNK, stop - position));
          const count = position < stop ? await readSome(chunk) : 0;
          if (count > 0) {
            controller.enqueue(chunk.subarray(0, count));
            return madeGarbage(CHUNK);
          }
          file.close();
          if (position < stop) throw new TypeError(`a file became ${stop - position} bytes shorter as it was sent`);
          controller.close();
        },
        cancel: () => this.close(),
      },
      // Nothing is read before somebody asks: the file may be sent as it is.
      { highWaterMark: 0 },
    );
    const source: DiskFile = {
      kind: "disk",
      get fd() {
        return file.#closed ? -1 : fd;
      },
      get position() {
        return position;
      },
      set position(moved) {
        position = moved;
      },
      left: () => (file.#closed ? -1 : stop - position),
      read: async (buffer) => (await readSome(buffer)) || null,
      readNow: (buffer, at, length) => {
        const count = readSync(fd, buffer, at, Math.min(length, stop - position), position);
        position += count;
        return count;
      },
      prefetch: (offset, length) =>
        new Promise((resolve) => {
          unwanted ??= Buffer.allocUnsafeSlow(PREFETCH);
          read(fd, unwanted, 0, Math.min(length, PREFETCH), offset, () => resolve());
        }),
    };
    noteFile(stream, source);
    return stream;
  }
}

/** Opens a regular file. `within`: the real folder that it must be in, whatever links say. */
export function openFile(path: string, within: string | undefined): Promise<StaticFile | Absent> | StaticFile | Absent {
  if (isEmbedded(path)) return openEmbedded(path);
  const cached = openCached(path);
  if (cached !== undefined) return typeof cached === "string" ? cached : opened(cached, path, within);
  return new Promise((resolve, reject) => {
    // A pipe without a writer would hold one of the few threads that files are opened on, for ever.
    open(path, constants.O_RDONLY | constants.O_NONBLOCK, (error, fd) => {
      if (error !== null) return absent(error) ? resolve(error.code ?? "ENOENT") : reject(error);
      resolve(opened(fd, path, within));
    });
  });
}

/** What was opened, if it may be served; else it is closed. */
function opened(
  fd: number,
  path: string,
  within: string | undefined,
): Promise<StaticFile | Absent> | StaticFile | Absent {
  const refuse = (why: Absent): Absent => {
    closeSync(fd);
    return why;
  };
  const stat = fstatSync(fd);
  if (stat.isDirectory()) return refuse("EISDIR");
  if (!stat.isFile()) return refuse("ENOENT");
  const { size, mtimeMs } = stat;
  const now = Date.now();
  const tag = `"${Math.round(mtimeMs * 1000).toString(36)}-${size.toString(36)}"`;
  const etag = mtimeMs < now - SETTLED_MS ? tag : `W/${tag}`;
  const found = new StaticFile(fd, 0, size, etag, Math.floor(Math.min(mtimeMs, now) / 1000), true);
  if (within === undefined) return found;
  const inside = (real: string): StaticFile | Absent =>
    real.startsWith(within.endsWith("/") ? within : `${within}/`) ? found : refuse("EXDEV");
  // Where a name leads is asked of what was opened: names may change their meaning between two questions.
  let real: string;
  try {
    real = readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return realPath(path).then(inside, () => refuse("ENOENT"));
  }
  return inside(real);
}

/** Rejects with the errno. */
export function realPath(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    realpath.native(path, (error, real) => (error === null ? resolve(real) : reject(error)));
  });
}

function openEmbedded(path: string): StaticFile | Absent {
  try {
    if (statAsset(path)?.isFile !== true) return "EISDIR";
  } catch (error) {
    if (error instanceof NotFound) return "ENOENT";
    throw error;
  }
  const place = assetPlace(path);
  if (place === undefined) return "ENOENT";
  const { fd, offset, size, digest } = place;
  return new StaticFile(fd, offset, size, `"${digest}"`, undefined, false);
}

/** What says no more than that there is no such file for us. */
function absent({ code = "" }: NodeJS.ErrnoException): boolean {
  return ["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EACCES", "EPERM", "ENXIO", "EINVAL"].includes(code);
}

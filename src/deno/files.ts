/**
 * The file operations that servers do at their start: reading, writing, stat. Folders, links and modes are in paths.ts.
 */
import type { Stats } from "node:fs";
import { withDenoErrors } from "./file-errors.ts";

type Path = string | URL;

interface ReadOptions {
  signal?: AbortSignal;
}

interface WriteOptions {
  append?: boolean;
  create?: boolean;
  createNew?: boolean;
  mode?: number;
  signal?: AbortSignal;
}

// Asked for at every call: embedded-fs.ts replaces members of node:fs.
const fs = () => process.getBuiltinModule("node:fs");

const operations = {
  readFile: async (path: Path, options?: ReadOptions) =>
    plain(await abortable(options?.signal, (signal) => fs().promises.readFile(path, { signal }))),
  readFileSync: (path: Path) => plain(fs().readFileSync(path)),
  readTextFile: (path: Path, options?: ReadOptions) =>
    abortable(options?.signal, (signal) => fs().promises.readFile(path, { encoding: "utf8", signal })),
  readTextFileSync: (path: Path) => fs().readFileSync(path, "utf8"),

  writeFile: write,
  writeTextFile: (path: Path, data: string | ReadableStream<string>, options?: WriteOptions) =>
    write(path, data instanceof ReadableStream ? data : String(data), options, true),
  writeFileSync: writeSync,
  writeTextFileSync: (path: Path, data: string, options?: WriteOptions) => writeSync(path, String(data), options, true),

  stat: async (path: Path) => fileInfo(await fs().promises.stat(path)),
  statSync: (path: Path) => fileInfo(fs().statSync(path)),
  lstat: async (path: Path) => fileInfo(await fs().promises.lstat(path)),
  lstatSync: (path: Path) => fileInfo(fs().lstatSync(path)),
};

/** The operations by Deno's names, with Deno's errors. */
export const files: object = Object.fromEntries(
  Object.entries(operations).map(([name, operation]) => [name, withDenoErrors(name, operation)]),
);

/** Node's Buffer is a Uint8Array too, but prints, slices and compares differently; a small one shares its memory. */
function plain(buffer: Buffer): Uint8Array {
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer);
}

/** What was aborted rejects with the signal's own reason, whatever it is, and even if it was done at that moment. */
async function abortable<T>(
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await call(signal);
  } finally {
    signal?.throwIfAborted();
  }
}

async function write(
  path: Path,
  data: string | Uint8Array | ReadableStream<string | Uint8Array>,
  options: WriteOptions = {},
  isText = false,
): Promise<void> {
  const { mode } = options;
  if (!(data instanceof ReadableStream)) checkData(data, isText);
  await abortable(options.signal, (signal) =>
    fs().promises.writeFile(path, data as string, { flag: flags(options) as never, mode, signal }),
  );
  // open(2) gives the mode to new files only; Deno sets it always.
  if (mode !== undefined) await fs().promises.chmod(path, mode);
}

function writeSync(path: Path, data: string | Uint8Array, options: WriteOptions = {}, isText = false): void {
  const { mode, signal } = options;
  signal?.throwIfAborted();
  checkData(data, isText);
  fs().writeFileSync(path, data, { flag: flags(options) as never, mode });
  if (mode !== undefined) fs().chmodSync(path, mode);
}

/** Node would take text for bytes, and write it. */
function checkData(data: unknown, isText: boolean): void {
  if (isText || ArrayBuffer.isView(data)) return;
  throw new TypeError(`expected type \`Uint8Array\`, got \`${Array.isArray(data) ? "array" : typeof data}\``);
}

/** As a number: no word of Node's says "write, but don't create". */
function flags({ append = false, create = true, createNew = false }: WriteOptions): number {
  const { O_WRONLY, O_APPEND, O_TRUNC, O_CREAT, O_EXCL } = fs().constants;
  return O_WRONLY | (append ? O_APPEND : O_TRUNC) | (createNew ? O_CREAT | O_EXCL : create ? O_CREAT : 0);
}

/** What Deno's stat says. */
export function fileInfo(stats: Stats): object {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymlink: stats.isSymbolicLink(),
    size: stats.size,
    mtime: stats.mtime,
    atime: stats.atime,
    birthtime: stats.birthtime,
    ctime: stats.ctime,
    dev: stats.dev,
    mode: stats.mode,
    ino: stats.ino,
    nlink: stats.nlink,
    uid: stats.uid,
    gid: stats.gid,
    rdev: stats.rdev,
    blksize: stats.blksize,
    blocks: stats.blocks,
    isBlockDevice: stats.isBlockDevice(),
    isCharDevice: stats.isCharacterDevice(),
    isFifo: stats.isFIFO(),
    isSocket: stats.isSocket(),
  };
}

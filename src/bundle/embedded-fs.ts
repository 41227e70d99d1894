/**
 * node:fs for files inside a compiled program: the reading functions answer for paths below the program's root and
 * pass everything else on. Installed only in programs that carry files; each wrapper costs one prefix comparison.
 *
 * Covered: exists, access, stat, lstat, readFile, readdir, realpath (each with its Sync, callback and promise form as
 * far as Node has one), open (a descriptor of a copy in memory), createReadStream and openAsBlob. fetch of a file: URL
 * (file-fetch.ts) asks these.
 */
import { memoryFile } from "../../ffi/embedded.ts";
import { isEmbedded, listAssets, readAsset, statAsset } from "../runtime/assets.ts";

type Path = string | URL;
type Encoding = BufferEncoding | { encoding?: BufferEncoding | null; start?: number; end?: number } | null | undefined;

/** Puts the wrappers in place. */
export function installEmbeddedFs(): void {
  const fs = process.getBuiltinModule("node:fs");
  const sync = {
    existsSync: (path: Path) => attempt(() => stat(path)) !== undefined,
    accessSync: (path: Path, mode?: number) => access(path, mode),
    statSync: (path: Path, options?: { throwIfNoEntry?: boolean }) => stat(path, options),
    lstatSync: (path: Path, options?: { throwIfNoEntry?: boolean }) => stat(path, options),
    readFileSync: readFile,
    readdirSync: readdir,
    realpathSync: realpath,
  };
  for (const [name, embedded] of Object.entries(sync)) {
    wrap(fs, name, embedded);
    const plain = name.slice(0, -"Sync".length);
    // (path, …, callback): exists alone calls back without an error.
    wrap(fs, plain, (...args: unknown[]) => {
      const callback = args.pop() as (...results: unknown[]) => void;
      let results: unknown[];
      try {
        const result = (embedded as (...args: unknown[]) => unknown)(...args);
        results = plain === "exists" ? [result] : [null, result];
      } catch (error) {
        results = [error];
      }
      process.nextTick(callback, ...results);
    });
    wrap(fs.promises, plain, async (...args: unknown[]) => (embedded as (...args: unknown[]) => unknown)(...args));
  }
  installOpen(fs);
  wrap(fs, "createReadStream", (path: Path, options?: Encoding) => {
    const { start = 0, end = Number.POSITIVE_INFINITY } =
      typeof options === "object" && options !== null ? options : {};
    const { Readable } = process.getBuiltinModule("node:stream");
    const stream = Readable.from(chunks(path, start, end), { objectMode: false });
    const encoding = encodingOf(options);
    return Object.assign(encoding ? stream.setEncoding(encoding) : stream, { path });
  });
  wrap(fs, "openAsBlob", async (path: Path, options?: { type?: string }) => new Blob([bytesOf(path, "open")], options));
  // `import { readFileSync } from "node:fs"` of an ES module on disk sees the wrappers only after this.
  process.getBuiltinModule("node:module").syncBuiltinESMExports();
}

/** Descriptors are the kernel's to give: it gets the file as a memory file. */
function installOpen(fs: typeof import("node:fs")): void {
  const { openSync, promises } = fs;
  const open = promises.open;
  const inMemory = (path: Path, flags: string | number | undefined): ReturnType<typeof memoryFile> & {} => {
    const reads =
      flags === undefined || flags === "r" || flags === "rs" || (typeof flags === "number" && (flags & 3) === 0);
    if (!reads) throw failure("EROFS", "read-only file system", "open", path);
    const file = memoryFile(posixPath(path), bytesOf(path, "open"), "load");
    if (file === undefined) throw failure("ENOTSUP", "no memory files here, read it whole instead", "open", path);
    return file;
  };
  const descriptor = (path: Path, flags?: string | number): number => {
    const file = inMemory(path, flags);
    try {
      // Opened anew: read-only, and at the start.
      return openSync(file.path, "r");
    } finally {
      file.release();
    }
  };
  wrap(fs, "openSync", descriptor);
  wrap(fs, "open", (path: Path, ...rest: unknown[]) => {
    const callback = rest.pop() as (error: unknown, fd?: number) => void;
    try {
      process.nextTick(callback, null, descriptor(path, rest[0] as string | undefined));
    } catch (error) {
      process.nextTick(callback, error);
    }
  });
  wrap(promises, "open", async (path: Path, flags?: string | number) => {
    const file = inMemory(path, flags);
    try {
      return await open(file.path, "r");
    } finally {
      file.release();
    }
  });
}

function wrap(owner: object, name: string, embedded: (...args: never[]) => unknown): void {
  const members = owner as Record<string, unknown>;
  const original = members[name];
  if (typeof original !== "function") return;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    const [path] = args;
    if ((typeof path === "string" || path instanceof URL) && isEmbedded(path)) return embedded(...(args as never[]));
    return Reflect.apply(original, this, args);
  };
  // util.promisify(fs.readFile), realpathSync.native and their like stay what they were.
  members[name] = Object.defineProperties(wrapped, {
    ...Object.getOwnPropertyDescriptors(original),
    name: { value: name, configurable: true },
  });
}

function* chunks(path: Path, start: number, end: number): Generator<Buffer> {
  const bytes = bytesOf(path, "open").subarray(start, end + 1);
  for (let offset = 0; offset < bytes.length; offset += 65536) yield bytes.subarray(offset, offset + 65536);
}

function readFile(path: Path, options?: Encoding): Buffer | string {
  const bytes = bytesOf(path, "open");
  const encoding = encodingOf(options);
  return encoding ? bytes.toString(encoding) : bytes;
}

function bytesOf(path: Path, syscall: string): Buffer<ArrayBuffer> {
  if (!stat(path)?.isFile()) throw failure("EISDIR", "illegal operation on a directory", "read", path);
  const bytes = translate(path, syscall, () => readAsset(path));
  return Buffer.from(bytes?.buffer ?? new ArrayBuffer(0));
}

function access(path: Path, mode = 0): void {
  const found = stat(path);
  if ((mode & 2) !== 0) throw failure("EROFS", "read-only file system", "access", path);
  if ((mode & 1) !== 0 && ((found?.mode ?? 0) & 0o111) === 0)
    throw failure("EACCES", "permission denied", "access", path);
}

/** fs.Stats as the real file's would be: what has no meaning here (inode, device, owner) is 0, times are assets.ts'. */
function stat(path: Path, options?: { throwIfNoEntry?: boolean }) {
  if (options?.throwIfNoEntry === false && attempt(() => statAsset(path)) === undefined) return undefined;
  const info = translate(path, "stat", () => statAsset(path));
  const { isFile = false, size = 0, mode = 0, mtimeMs: ms = 0 } = info ?? {};
  const time = new Date(ms);
  const no = () => false;
  return {
    ...{ dev: 0, ino: 0, nlink: 1, uid: 0, gid: 0, rdev: 0, size, blksize: 4096, blocks: Math.ceil(size / 512) },
    ...{ mode: mode | (isFile ? 0o100000 : 0o040000), atimeMs: ms, mtimeMs: ms, ctimeMs: ms, birthtimeMs: ms },
    ...{ atime: time, mtime: time, ctime: time, birthtime: time },
    ...{ isFile: () => isFile, isDirectory: () => !isFile, isSymbolicLink: no },
    ...{ isFIFO: no, isSocket: no, isBlockDevice: no, isCharacterDevice: no },
  };
}

function realpath(path: Path): string {
  stat(path);
  return posixPath(path);
}

type ListOptions = { recursive?: boolean; withFileTypes?: boolean } | string | null | undefined;

function readdir(path: Path, options?: ListOptions): unknown[] {
  const { recursive = false, withFileTypes = false } = typeof options === "object" && options !== null ? options : {};
  const top = posixPath(path);
  const found: unknown[] = [];
  const list = (directory: string, prefix: string) => {
    for (const { name, isFile } of translate(directory, "scandir", () => listAssets(directory)) ?? []) {
      const { isFIFO, isSocket, ...kind } = stat(`${directory}/${name}`) ?? {};
      found.push(withFileTypes ? { ...kind, isFIFO, isSocket, name, parentPath: directory } : prefix + name);
      if (recursive && !isFile) list(`${directory}/${name}`, `${prefix}${name}/`);
    }
  };
  list(top, "");
  return found;
}

function posixPath(path: Path): string {
  return (typeof path === "string" ? path : decodeURIComponent(path.pathname)).replace(/(?<=.)\/+$/, "");
}

function encodingOf(options: Encoding): BufferEncoding | undefined {
  return (typeof options === "string" ? options : options?.encoding) ?? undefined;
}

function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** Deno's error classes, which assets.ts throws, as Node's errors with a code. */
function translate<T>(path: Path, syscall: string, call: () => T): T {
  try {
    return call();
  } catch {
    throw failure("ENOENT", "no such file or directory", syscall, path);
  }
}

function failure(code: string, text: string, syscall: string, path: Path): Error {
  const name = posixPath(path);
  return Object.assign(new Error(`${code}: ${text}, ${syscall} '${name}'`), { code, syscall, path: name });
}

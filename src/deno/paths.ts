/** Folders, links, modes and times: the operations on paths that are not reading and writing (files.ts). */
import type { Dirent } from "node:fs";
import { withDenoErrors } from "./file-errors.ts";

type Time = number | Date;

const fs = () => process.getBuiltinModule("node:fs");

interface DirEntry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
}

interface MkdirOptions {
  recursive?: boolean;
  mode?: number;
}

interface RemoveOptions {
  recursive?: boolean;
}

/** For `null`, which leaves an owner as it is: chown(2) takes -1 for that, as an unsigned number. */
const owner = (id: number | null | undefined): number => id ?? 2 ** 32 - 1;

/** Deno takes what is below zero, or missing, for zero. */
const size = (length: number | undefined): number => Math.max(0, length ?? 0);

/** To the millisecond. As a Date: Node takes a number below zero for the present. */
const moment = (time: Time): Date => (time instanceof Date ? time : new Date(Math.trunc(time * 1000)));

const operations = {
  async mkdir(path: string, options?: MkdirOptions) {
    if (options?.recursive) checkDangling(path);
    await fs().promises.mkdir(path, options);
  },
  mkdirSync(path: string, options?: MkdirOptions) {
    if (options?.recursive) checkDangling(path);
    fs().mkdirSync(path, options);
  },
  async remove(path: string, options: RemoveOptions = {}) {
    if (options.recursive) return fs().promises.rm(path, { recursive: true });
    const isDirectory = (await fs().promises.lstat(path)).isDirectory();
    return isDirectory ? fs().promises.rmdir(path) : fs().promises.unlink(path);
  },
  removeSync(path: string, options: RemoveOptions = {}) {
    if (options.recursive) return fs().rmSync(path, { recursive: true });
    return fs().lstatSync(path).isDirectory() ? fs().rmdirSync(path) : fs().unlinkSync(path);
  },
  rename: (from: string, to: string) => fs().promises.rename(from, to),
  renameSync: (from: string, to: string) => fs().renameSync(from, to),
  async copyFile(from: string, to: string) {
    checkOther(from, to);
    await fs().promises.copyFile(from, to);
  },
  copyFileSync(from: string, to: string) {
    checkOther(from, to);
    fs().copyFileSync(from, to);
  },
  link: (from: string, to: string) => fs().promises.link(from, to),
  linkSync: (from: string, to: string) => fs().linkSync(from, to),
  symlink: (target: string, path: string, options?: { type?: "file" | "dir" | "junction" }) =>
    fs().promises.symlink(target, path, options?.type),
  symlinkSync: (target: string, path: string, options?: { type?: "file" | "dir" | "junction" }) =>
    fs().symlinkSync(target, path, options?.type),
  readLink: (path: string) => fs().promises.readlink(path),
  readLinkSync: (path: string) => fs().readlinkSync(path),
  realPath: (path: string) => fs().promises.realpath(path),
  realPathSync: (path: string) => fs().realpathSync.native(path),
  // A link that stands where a file was is not followed, so that nobody can make it another's file that is cut.
  async truncate(path: string, length?: number) {
    await using file = await fs().promises.open(path, noFollow());
    await file.truncate(size(length));
  },
  truncateSync(path: string, length?: number) {
    const fd = fs().openSync(path, noFollow());
    try {
      fs().ftruncateSync(fd, size(length));
    } finally {
      fs().closeSync(fd);
    }
  },
  chmod: (path: string, mode: number) => fs().promises.chmod(path, mode),
  chmodSync: (path: string, mode: number) => fs().chmodSync(path, mode),
  chown: (path: string, uid: number | null, gid: number | null) => fs().promises.chown(path, owner(uid), owner(gid)),
  chownSync: (path: string, uid: number | null, gid: number | null) => fs().chownSync(path, owner(uid), owner(gid)),
  utime: (path: string, atime: Time, mtime: Time) => fs().promises.utimes(path, moment(atime), moment(mtime)),
  utimeSync: (path: string, atime: Time, mtime: Time) => fs().utimesSync(path, moment(atime), moment(mtime)),
  readDirSync: (path: string) => fs().readdirSync(path, { withFileTypes: true }).map(entry).values(),
  chdir: (path: string) => process.chdir(path),
};

function noFollow(): number {
  const { O_WRONLY, O_NOFOLLOW } = fs().constants;
  return O_WRONLY | (O_NOFOLLOW ?? 0);
}

/** Copied onto itself a file would be empty afterwards. */
function checkOther(from: string, to: string): void {
  const [source, target] = [from, to].map((path) => fs().statSync(path, { throwIfNoEntry: false, bigint: true }));
  if (source === undefined || target === undefined) return;
  if (source.isFile() && source.ino === target.ino && source.dev === target.dev) {
    throw new TypeError(`the source and destination are the same file: copy '${from}' -> '${to}'`);
  }
}

/** Of a link that leads nowhere Node says that nothing is there. */
function checkDangling(path: string): void {
  if (fs().statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  if (fs().lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw Object.assign(new Error(), { code: "EEXIST" });
}

/** By Deno's names, with Deno's errors. */
export function pathOperations(): object {
  const wrapped = Object.entries(operations).map(([name, operation]) => [name, withDenoErrors(name, operation)]);
  return { ...Object.fromEntries(wrapped), readDir };
}

const readEntries = withDenoErrors("readDir", (path: string) =>
  fs().promises.readdir(path, { withFileTypes: true }),
) as unknown as (path: string | URL) => Promise<Dirent[]>;

/** Nothing is read, and nothing fails, before the first entry is asked for; each loop reads anew. */
function readDir(path: string | URL): AsyncIterable<DirEntry> {
  return {
    async *[Symbol.asyncIterator]() {
      for (const found of await readEntries(path)) yield entry(found);
    },
  };
}

function entry(found: Dirent): DirEntry {
  return {
    name: found.name,
    isFile: found.isFile(),
    isDirectory: found.isDirectory(),
    isSymlink: found.isSymbolicLink(),
  };
}

/** For open files too. */
export { moment, size };

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
  mkdir: async (path: string, options?: MkdirOptions) => void (await fs().promises.mkdir(path, options)),
  mkdirSync: (path: string, options?: MkdirOptions) => void fs().mkdirSync(path, options),
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
  copyFile: (from: string, to: string) => fs().promises.copyFile(from, to),
  copyFileSync: (from: string, to: string) => fs().copyFileSync(from, to),
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
  truncate: (path: string, length?: number) => fs().promises.truncate(path, size(length)),
  truncateSync: (path: string, length?: number) => fs().truncateSync(path, size(length)),
  chmod: (path: string, mode: number) => fs().promises.chmod(path, mode),
  chmodSync: (path: string, mode: number) => fs().chmodSync(path, mode),
  chown: (path: string, uid: number | null, gid: number | null) => fs().promises.chown(path, owner(uid), owner(gid)),
  chownSync: (path: string, uid: number | null, gid: number | null) => fs().chownSync(path, owner(uid), owner(gid)),
  utime: (path: string, atime: Time, mtime: Time) => fs().promises.utimes(path, moment(atime), moment(mtime)),
  utimeSync: (path: string, atime: Time, mtime: Time) => fs().utimesSync(path, moment(atime), moment(mtime)),
  readDirSync: (path: string) => fs().readdirSync(path, { withFileTypes: true }).map(entry).values(),
  chdir: (path: string) => process.chdir(path),
};

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

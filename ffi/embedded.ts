/**
 * Native code that travels inside our executable: koffi's addon in every one, esbuild's program in
 * `slipway` itself. The kernel wants a path for either. On Linux an anonymous memory file gives one
 * (memfd_create(2), then /proc/self/fd/N), so nothing is written anywhere; where that is refused, a
 * private cache directory holds a copy.
 *
 * Only node built-ins that the start-up snapshot already holds are used here: this runs before koffi.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;

/** Why the bytes are wanted: `load` for dlopen(3), `execute` for execve(2), which asks more of a memory file. */
export type Purpose = "load" | "execute";

/** The bytes under a path. `release` frees the memory file once nobody opens the path any more. */
export interface EmbeddedFile {
  readonly path: string;
  release(): void;
}

/**
 * Gives `bytes` a path that the kernel can load or execute: a memory file, else a copy in the private cache.
 * `name` names both; `digest`, any string that changes with the bytes, tells versions apart in the cache.
 */
export function materialize(name: string, digest: string, bytes: Uint8Array, purpose: Purpose): EmbeddedFile {
  return memoryFile(name, bytes, purpose) ?? { path: cachedFile(name, digest, bytes), release() {} };
}

/** open(2): a file without a name, in the directory that is named; what is not a flag of its own differs by machine. */
const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY;

/**
 * The bytes in shared memory without a name, to be loaded; undefined where there is none, or where what lies there may
 * not be executed, as in most containers. Made by a plain open(2): the call to memfd_create takes 1 ms more, for it has to
 * be found first.
 */
export function unnamedFile(bytes: Uint8Array): EmbeddedFile | undefined {
  if (process.platform !== "linux") return undefined;
  let fd: number;
  try {
    fd = openSync("/dev/shm", O_TMPFILE | constants.O_RDWR, 0o700);
  } catch {
    return undefined;
  }
  const path = `/proc/self/fd/${fd}`;
  try {
    // access(2) says no for a file system that is mounted noexec.
    accessSync(path, constants.X_OK);
    writeAll(fd, bytes);
  } catch {
    closeSync(fd);
    return undefined;
  }
  return { path, release: () => closeSync(fd) };
}

/** A memory file, or undefined where the system has none, /proc is missing, or policy forbids executing it. */
export function memoryFile(name: string, bytes: Uint8Array, purpose: Purpose): EmbeddedFile | undefined {
  if (process.platform !== "linux" || !existsSync("/proc/self/fd")) return undefined;
  const fd = memfdCreate(name, purpose);
  if (fd < 0) return undefined;
  try {
    writeAll(fd, bytes);
    // With vm.memfd_noexec at 2 what can be made has no execute bit, and execve would be refused later.
    if (purpose === "execute") accessSync(`/proc/self/fd/${fd}`, constants.X_OK);
  } catch {
    closeSync(fd);
    return undefined;
  }
  // By process id, not "self": a child that is to execute it looks the path up after the fork.
  return { path: `/proc/${process.pid}/fd/${fd}`, release: () => closeSync(fd) };
}

/**
 * memfd_create(2) through node:ffi: koffi cannot be asked, it is what we are about to load. dlopen needs no
 * execute bit, so MFD_CLOEXEC alone passes under every setting of vm.memfd_noexec; execve needs MFD_EXEC once
 * that is 1 and is refused at 2. Kernels before 6.3 know no MFD_EXEC (EINVAL) and need none.
 */
function memfdCreate(name: string, purpose: Purpose): number {
  const ffi = silently(() => process.getBuiltinModule("node:ffi"));
  if (ffi === undefined) return -1;
  try {
    const create = new ffi.DynamicLibrary(null).getFunction("memfd_create", {
      arguments: ["string", "u32"],
      return: "i32",
    }) as (name: string, flags: number) => number;
    if (purpose === "load") return create(name, MFD_CLOEXEC);
    const fd = create(name, MFD_CLOEXEC | MFD_EXEC);
    return fd >= 0 ? fd : create(name, MFD_CLOEXEC);
  } catch {
    return -1;
  }
}

/** node:ffi announces itself as experimental on stderr the first time; a server's log is no place for that. */
function silently<T>(load: () => T): T | undefined {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return load();
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * A copy in a directory that only this user can read, named after its content. Whatever already lies there is
 * compared byte by byte with what we carry, so a file that somebody swapped is never run.
 */
export function cachedFile(name: string, digest: string, bytes: Uint8Array): string {
  const tried: string[] = [];
  for (const directory of cacheDirectories()) {
    const path = join(directory, `${name}-${digest}`);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      assertPrivate(directory);
      if (sameContent(path, bytes)) return path;
      const part = `${path}.${process.pid}.${process.hrtime.bigint()}`;
      try {
        const fd = openSync(part, "wx", 0o700);
        try {
          writeAll(fd, bytes);
        } finally {
          closeSync(fd);
        }
        renameSync(part, path);
      } catch (error) {
        rmSync(part, { force: true });
        // Another process was faster, and Windows replaces no file that is loaded.
        if (sameContent(path, bytes)) return path;
        throw error;
      }
      return path;
    } catch (error) {
      tried.push(`${directory} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
    }
  }
  if (process.platform === "win32") {
    throw new Error(
      `no place for ${name}: ${tried.length === 0 ? "neither LOCALAPPDATA nor USERPROFILE is set" : `none of these can be written: ${tried.join(", ")}`}; set LOCALAPPDATA to a directory that only this user can write`,
    );
  }
  throw new Error(
    `no place for ${name}: memory files are not available here${
      existsSync("/proc/self/fd") ? "" : " (/proc is not mounted)"
    } and none of these can be written: ${tried.join(", ")}; ` +
      "set TMPDIR to a directory that is writable and not mounted noexec",
  );
}

function cacheDirectories(): string[] {
  if (process.platform === "win32") {
    // A user's profile is closed to other users; the system's own folder for temporary files, a service's TEMP, is not.
    const { LOCALAPPDATA, USERPROFILE } = process.env;
    const profile = USERPROFILE ? `${USERPROFILE}\\AppData\\Local` : undefined;
    return [LOCALAPPDATA, profile].filter((one) => one?.[1] === ":").map((one) => `${one}\\slipway`);
  }
  const { XDG_CACHE_HOME, HOME, TMPDIR } = process.env;
  const user = process.getuid?.() ?? "user";
  const directories = [];
  if (XDG_CACHE_HOME?.startsWith("/")) directories.push(`${XDG_CACHE_HOME}/slipway`);
  if (HOME?.startsWith("/")) {
    directories.push(process.platform === "darwin" ? `${HOME}/Library/Caches/slipway` : `${HOME}/.cache/slipway`);
  }
  if (TMPDIR?.startsWith("/")) directories.push(`${TMPDIR.replace(/\/+$/, "")}/slipway-${user}`);
  directories.push(`/tmp/slipway-${user}`, `/var/tmp/slipway-${user}`);
  return directories;
}

/** In a shared /tmp somebody else may have made the directory first, to have us run their code. */
function assertPrivate(directory: string): void {
  const stat = lstatSync(directory);
  const uid = process.getuid?.();
  // The bits of a mode say nothing on Windows, where an access list does.
  const othersWrite = process.platform !== "win32" && (stat.mode & 0o022) !== 0;
  if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid) || othersWrite) {
    throw new Error("it exists and is not a directory that only we can write");
  }
}

function sameContent(path: string, bytes: Uint8Array): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isFile() && stat.size === bytes.byteLength && Buffer.compare(readFileSync(path), bytes) === 0;
  } catch {
    return false;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.byteLength; ) {
    offset += writeSync(fd, bytes, offset, bytes.byteLength - offset);
  }
}

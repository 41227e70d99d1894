/**
 * What comes from @deno/shim-deno: most of the file system, standard streams, permissions. It is loaded when the first
 * of its members is touched (20 to 40 ms that not every start should pay), and each of its functions is called through a wrapper that
 * turns Node's errors and the shim's own into the classes and sentences of Deno's.
 */
import { isEmbedded, listAssets } from "../runtime/assets.ts";
import { type Callable, toDenoError, withDenoErrors } from "./file-errors.ts";

type Path = string | URL;

/** Members of Deno 2 that the shim has and that we don't have better. */
export const shimMembers = [
  ...["Permissions", "PermissionStatus", "permissions"],
  ...["stdin", "stdout", "stderr", "isatty", "chdir"],
  ...["copyFile", "copyFileSync"],
  ...["realPath", "realPathSync", "readLink", "readLinkSync"],
  ...["readDir", "readDirSync", "mkdir", "mkdirSync", "remove", "removeSync", "rename", "renameSync"],
  ...["chmod", "chmodSync", "chown", "chownSync", "truncate", "truncateSync", "utime", "utimeSync"],
  ...["watchFs", "link", "linkSync", "symlink", "symlinkSync"],
] as const;

type Shim = Record<string, unknown>;
let loaded: Shim | undefined;

/** One member of the shim, its errors made Deno's. */
export function fromShim(name: (typeof shimMembers)[number]): unknown {
  loaded ??= load();
  const member = loaded[name];
  if (name === "readDir") return (path: Path) => readDir(path, member as DirReader);
  return typeof member === "function" && !/^class\b/.test(Function.prototype.toString.call(member))
    ? withDenoErrors(name, member as Callable)
    : member;
}

function load(): Shim {
  // The bundler of our executable understands only the first form, Node's ES modules only the second.
  const { Deno } = (
    typeof require === "function"
      ? require("@deno/shim-deno")
      : process.getBuiltinModule("node:module").createRequire(import.meta.url)("@deno/shim-deno")
  ) as typeof import("@deno/shim-deno");
  return Deno as unknown as Shim;
}

interface DirEntry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
}

type DirReader = (path: Path) => AsyncIterable<DirEntry>;

/** The shim walks with opendir, which knows nothing of the files inside a compiled program. */
async function* readDir(path: Path, read: DirReader): AsyncGenerator<DirEntry> {
  if (isEmbedded(path)) {
    for (const { name, isFile } of listAssets(path) ?? []) {
      yield { name, isFile, isDirectory: !isFile, isSymlink: false };
    }
    return;
  }
  try {
    yield* read(path);
  } catch (error) {
    throw toDenoError(error, "readDir", [path]);
  }
}

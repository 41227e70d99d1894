/**
 * Files inside a compiled program. Modules of such a program live under one made-up directory, the same on every
 * machine, and `compile --include` puts files there too: `new URL("./public/logo.svg", import.meta.url)` names
 * one. Whoever reads files (src/deno, node:fs, fetch of file: URLs) asks here first.
 */
import { IsADirectory, NotFound } from "./errors.ts";

/** Where a compiled program's modules and files are. No such directory exists on any disk that we know. */
export const PROGRAM_ROOT = "/@slipway";

/** One embedded file or directory, as stat(2) would tell of it. */
export interface AssetInfo {
  readonly isFile: boolean;
  readonly size: number;
  /** Permission bits: 0o444 or 0o555; nothing in a program can be written. */
  readonly mode: number;
  /** The epoch for a directory; a file's is made of its content, see `timeOf`. */
  readonly mtimeMs: number;
}

/** What a compiled program carries; src/bundle/executable.ts fills it. */
export interface AssetStore {
  /** Bytes of a file by its path below the root, `public/logo.svg`; undefined when there is none. */
  read(name: string): Uint8Array | undefined;
  size(name: string): number | undefined;
  executable(name: string): boolean;
  /** Where the file lies, to be sent from there; absent where there is no such place. */
  place?(name: string): AssetPlace;
  names(): Iterable<string>;
}

/** An embedded file within the executable, which stays open, and what tells its content from any other. */
export interface AssetPlace {
  readonly fd: number;
  readonly offset: number;
  readonly size: number;
  readonly digest: string;
}

let store: AssetStore | undefined;
let directories: Map<string, Map<string, boolean>> | undefined;

/** Makes a program's files readable. Once, before its first module runs. */
export function provideAssets(files: AssetStore): void {
  store = files;
  directories = undefined;
}

/** True when the path, or file: URL, lies inside the program: then it is here or nowhere, never on the disk. */
export function isEmbedded(path: string | URL): boolean {
  return assetName(path) !== undefined;
}

/** What to do about a path that a program does not carry; nothing of a path on the disk. */
export function howToEmbed(path: unknown): string {
  // Without the store: a program that carries no file has none.
  const text = path instanceof URL ? decodeURIComponent(path.pathname) : String(path);
  if (!text.startsWith(`${PROGRAM_ROOT}/`)) return "";
  return `; the executable has no ${text.slice(PROGRAM_ROOT.length + 1)}: compile it with --include`;
}

/** An embedded file's bytes, the caller's own copy; undefined when `path` is not inside the program. */
export function readAsset(path: string | URL): Uint8Array<ArrayBuffer> | undefined {
  const name = assetName(path);
  if (name === undefined) return undefined;
  const bytes = store?.read(name);
  if (bytes !== undefined) return new Uint8Array(bytes);
  if (tree().has(name)) throw new IsADirectory(`read "${path}": Is a directory`);
  throw missing("read", path);
}

/** Where an embedded file lies; undefined when there is none at `path`. */
export function assetPlace(path: string | URL): AssetPlace | undefined {
  const name = assetName(path);
  return name === undefined || store?.size(name) === undefined ? undefined : store.place?.(name);
}

/** What stat says of an embedded file or directory; undefined when `path` is not inside the program. */
export function statAsset(path: string | URL): AssetInfo | undefined {
  const name = assetName(path);
  if (name === undefined) return undefined;
  const size = store?.size(name);
  if (size !== undefined) {
    const mode = store?.executable(name) ? 0o555 : 0o444;
    return { isFile: true, size, mode, mtimeMs: timeOf(store?.place?.(name).digest ?? "") };
  }
  if (tree().has(name)) return { isFile: false, size: 0, mode: 0o555, mtimeMs: 0 };
  throw missing("stat", path);
}

const EARLIEST = Date.UTC(1980, 0);
/** 34 years: it ends in 2014. */
const SECONDS = 2 ** 30;

/**
 * Frameworks make an ETag of size and time, Express for one: with one time for all, two versions of equal size would
 * have the same. The source's own time is another in each clone, and programs are to be the same byte for byte; so it is
 * a moment in the past that the content's digest chooses.
 */
function timeOf(digest: string): number {
  const bits = Buffer.from(digest, "hex");
  return bits.length < 4 ? 0 : EARLIEST + (bits.readUInt32LE() % SECONDS) * 1000;
}

/** The entries of an embedded directory in byte order; undefined when `path` is not inside the program. */
export function listAssets(path: string | URL): { name: string; isFile: boolean }[] | undefined {
  const name = assetName(path);
  if (name === undefined) return undefined;
  const entries = tree().get(name);
  if (entries === undefined) throw missing("readdir", path);
  return [...entries].map(([name, isFile]) => ({ name, isFile })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The path below the root with `.` and `..` resolved, `""` for the root itself, undefined for anything outside. */
function assetName(path: string | URL): string | undefined {
  if (store === undefined) return undefined;
  let text = typeof path === "string" ? path : path.protocol === "file:" ? path.pathname : "";
  if (typeof path !== "string" || text.startsWith("file:")) {
    try {
      text = decodeURIComponent(typeof path === "string" ? new URL(path).pathname : text);
    } catch {
      return undefined;
    }
  }
  text = withoutDrive(text);
  if (!text.startsWith(PROGRAM_ROOT)) return undefined;
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  // After resolving: "/@slipway/../etc/passwd" is /etc/passwd, not ours to answer.
  return parts[0] === PROGRAM_ROOT.slice(1) ? parts.slice(1).join("/") : undefined;
}

/** Windows gives a path a drive, and other slashes: `Z:\\@slipway\\server.ts`, and `/Z:/@slipway/server.ts` in a URL. */
export function withoutDrive(path: string, platform: string = process.platform): string {
  return platform === "win32" ? path.replaceAll("\\", "/").replace(/^\/?[a-z]:(?=\/)/i, "") : path;
}

/** Directories with their entries (true: a file), made from the files' names when first asked for. */
function tree(): Map<string, Map<string, boolean>> {
  if (directories !== undefined) return directories;
  directories = new Map([["", new Map()]]);
  for (const file of store?.names() ?? []) {
    let parent = "";
    const parts = file.split("/");
    for (const [index, part] of parts.entries()) {
      const isFile = index === parts.length - 1;
      let entries = directories.get(parent);
      if (entries === undefined) directories.set(parent, (entries = new Map()));
      entries.set(part, isFile);
      parent = parent === "" ? part : `${parent}/${part}`;
    }
  }
  return directories;
}

function missing(operation: string, path: string | URL): Error {
  return new NotFound(
    `${operation} "${path}": no such file in this program; it was compiled without it (slipway compile --include)`,
  );
}

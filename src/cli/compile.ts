/** `slipway compile`: the handler, its modules and included files behind a copy of the base, as one executable. */
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { BundleError } from "../bundle/errors.ts";
import { encodePayload, openPayload, ownPayload, type PartInput } from "../bundle/executable.ts";
import { type IncludedFile, includeFiles } from "../bundle/include.ts";
import { LocalesError, parseLocales, withLocales } from "../bundle/locales.ts";
import { type Bundle, bundle, stopEsbuild } from "../bundle/mod.ts";
import { digest, mapPart, sha256 } from "../bundle/pack.ts";
import { portableMap } from "../bundle/registry.ts";
import { cannotServe } from "../bundle/serves.ts";
import { type Progress, withProgress } from "../terminal/progress.ts";
import { destination, mustNotBeOneOf } from "./destination.ts";
import { errorCode, Failure, UsageError } from "./errors.ts";
import { version } from "./version.ts";

/** Options of the verb, as the command line gives them. */
export interface CompileOptions {
  /** The executable to write. */
  readonly output: string;
  /** Files and directories to embed. */
  readonly include?: readonly string[];
  /** `linux-x64`; only this system's own base is there so far. */
  readonly target?: string;
  /** Languages that the executable brings data of, `en,de`; all when absent. */
  readonly locales?: string;
  /** What was written, for programs. */
  readonly json?: boolean;
}

/** What came of it. */
export interface Compiled {
  readonly path: string;
  readonly bytes: number;
}

/** The verb: writes the executable and says so. */
export async function compile(entry: string, options: CompileOptions): Promise<void> {
  const { path, bytes } = await withProgress((progress) => buildExecutable(entry, options, progress));
  if (options.json)
    process.stdout.write(`${JSON.stringify({ output: path, bytes, slipway: version }, undefined, 2)}\n`);
  else process.stdout.write(`${options.output}  ${(bytes / 1e6).toFixed(1)} MB\n`);
}

/** Writes the executable, whole or not at all. */
export async function buildExecutable(entry: string, options: CompileOptions, progress?: Progress): Promise<Compiled> {
  const here = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  if (options.target !== undefined && options.target !== here) {
    throw new UsageError(`there is no base for ${options.target} here; this slipway compiles for ${here}`);
  }
  const path = destination(options.output, entry);
  const languages = told(() => parseLocales(options.locales ?? "all"));
  progress?.step("Reading the base");
  const full = await findBase();
  const base = languages === undefined ? full : reduced(full, languages);
  const include = options.include ?? [];
  progress?.step(`Bundling ${basename(entry)}`);
  const workerFiles = include.filter((path) => /\.[cm]?[jt]sx?$/.test(path) && existsSync(path));
  const program = await bundle(entry, { also: include.map(placeOf), workerFiles, oneRoot: true });
  await stopEsbuild();
  const files = included(include, program.root);
  mustNotBeOneOf([...program.inputs, ...files.map((file) => file.path)], path, options.output);
  progress?.end();
  for (const warning of program.warnings) console.error(`warning: ${warning}`);
  const doubt = cannotServe(program.code);
  if (doubt !== undefined) console.error(`warning: ${program.entry} will not serve: ${doubt}`);

  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(program.code) },
    mapPart(program.map),
    ...Object.values(program.workers ?? {}).flatMap(workerParts),
    ...files.map(({ name, bytes, executable }) => ({ name: `file:${name}`, bytes, executable, digest: digest(bytes) })),
  ];
  const workers = Object.values(program.workers ?? {}).map((worker) => metaOf(worker));
  const meta = { ...metaOf(program), slipway: version, ...(workers.length > 0 && { workers }) };
  progress?.step(`Writing ${options.output}`);
  const payload = encodePayload(base.length, "program", meta, parts, sha256);
  writeExecutable(path, base.pieces(), [payload]);
  return { path, bytes: base.length + payload.length };
}

/** What an executable is told of a program in it. */
function metaOf({ entry, provided, importMap }: Bundle): object {
  return { entry, provided, ...(importMap && { importMap: portableMap(importMap) }) };
}

function workerParts({ entry, code, map }: Bundle): PartInput[] {
  return [
    { name: `code:${entry}`, bytes: Buffer.from(code) },
    { ...mapPart(map), name: `map:${entry}` },
  ];
}

/** What `bundle` has to be able to name: a folder by something in it. */
function placeOf(include: string): string {
  const path = resolve(include);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, "any") : path;
}

/** Nothing here is about the sources: what is wrong with a flag is told like any other wrong flag. */
function included(paths: readonly string[], root: string): IncludedFile[] {
  try {
    return includeFiles(paths, root);
  } catch (error) {
    if (error instanceof BundleError) throw new Failure(error.message);
    if (errorCode(error) === "") throw error;
    throw new Failure(`--include: ${(error as Error).message}`);
  }
}

/** Written beside its destination, then renamed over it: nobody ever sees half of it, a running program keeps its file. */
export function writeExecutable(path: string, ...contents: readonly Iterable<Uint8Array>[]): void {
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    rmSync(part, { force: true });
    const fd = openSync(part, "wx", 0o755);
    try {
      for (const pieces of contents) {
        for (const piece of pieces) {
          for (let offset = 0; offset < piece.byteLength; ) offset += writeSync(fd, piece, offset);
        }
      }
    } finally {
      closeSync(fd);
    }
    // Exactly this mode, whatever the umask.
    chmodSync(part, 0o755);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    if (errorCode(error) === "") throw error;
    // Without the system call and the name of the file beside it, which nobody asked for.
    const why = (error as Error).message.replace(/, \w+ '.*$/s, "");
    throw new Failure(`${path} cannot be written (${why}): choose another place with --output`);
  }
}

interface Base {
  readonly length: number;
  pieces(): Iterable<Uint8Array>;
}

/** The base without the data of other languages, which takes the whole of it in memory. */
function reduced(base: Base, languages: readonly string[]): Base {
  const whole = Buffer.allocUnsafeSlow(base.length);
  let offset = 0;
  for (const piece of base.pieces()) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  const bytes = told(() => withLocales(whole, languages));
  return { length: bytes.length, pieces: () => [bytes] };
}

function told<T>(what: () => T): T {
  try {
    return what();
  } catch (error) {
    throw error instanceof LocalesError ? new UsageError(`--locales: ${error.message}`) : error;
  }
}

/** The base: out of our own executable, or what `npm run build` left in dist when we run from source. */
async function findBase(): Promise<Base> {
  const own = ownPayload();
  if (own !== undefined) return { length: own.baseLength, pieces: () => own.base() };
  if (!import.meta.filename.endsWith(".ts")) return ownBase();
  const file = join(import.meta.dirname, "../../dist/base");
  if (!existsSync(file)) throw new Failure("there is no dist/base yet, on which programs are built: npm run build");
  if (openPayload(file) !== undefined) throw new Failure(`${file} is not a bare base: npm run build`);
  const bytes = readFileSync(file);
  return { length: bytes.length, pieces: () => [bytes] };
}

/** An npm package is too small for a base, but has all that one is made of: the first compile makes it and keeps it. */
async function ownBase(): Promise<Base> {
  const kit = join(import.meta.dirname, "../../kit.json");
  const kept = join(import.meta.dirname, "../../base");
  if (!existsSync(kept)) {
    const { makeBase } = await import("../bundle/make-base.ts");
    const bytes = makeBase(JSON.parse(readFileSync(kit, "utf8")), tmpdir());
    try {
      writeExecutable(kept, [bytes]);
    } catch {
      // A package that may not be written to: made anew each time.
      return { length: bytes.length, pieces: () => [bytes] };
    }
  }
  const bytes = readFileSync(kept);
  return { length: bytes.length, pieces: () => [bytes] };
}

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
import { encodePayload, openPayload, ownPayload, type PartInput } from "../bundle/executable.ts";
import { includeFiles } from "../bundle/include.ts";
import { bundle, stopEsbuild } from "../bundle/mod.ts";
import { mapPart, sha256 } from "../bundle/pack.ts";
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
}

/** What came of it. */
export interface Compiled {
  readonly path: string;
  readonly bytes: number;
}

/** The verb: writes the executable and says so. */
export async function compile(entry: string, options: CompileOptions): Promise<void> {
  const { bytes } = await buildExecutable(entry, options);
  process.stdout.write(`${options.output}  ${(bytes / 1e6).toFixed(1)} MB\n`);
}

/** Writes the executable, whole or not at all. */
export async function buildExecutable(entry: string, options: CompileOptions): Promise<Compiled> {
  const here = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  if (options.target !== undefined && options.target !== here) {
    throw new UsageError(`there is no base for ${options.target} here; this slipway compiles for ${here}`);
  }
  const path = resolve(options.output);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${options.output} is a directory: choose another name with --output`);
  }
  if (!existsSync(dirname(path))) {
    throw new UsageError(`there is no directory ${dirname(options.output)} for ${basename(path)}: make it first`);
  }
  if (path === resolve(entry)) {
    throw new UsageError(`${options.output} is the program itself: choose another name with --output`);
  }
  const base = await findBase();
  const include = (options.include ?? []).map((name) => resolve(name));
  const program = await bundle(entry, {
    also: include.map((name) => (statSync(name, { throwIfNoEntry: false })?.isDirectory() ? join(name, ".") : name)),
  });
  await stopEsbuild();
  for (const warning of program.warnings) console.error(`warning: ${warning}`);

  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(program.code) },
    mapPart(program.map),
    // Not what an earlier compile left there: with --include . each would carry the one before.
    ...includeFiles(include, program.root, [path]).map(({ name, bytes, executable }) => ({
      name: `file:${name}`,
      bytes,
      executable,
    })),
  ];
  const meta = { entry: program.entry, provided: program.provided, slipway: version };
  const payload = encodePayload(base.length, "program", meta, parts, sha256);
  writeExecutable(path, base.pieces(), [payload]);
  return { path, bytes: base.length + payload.length };
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
    throw new Failure(`${path} cannot be written: ${(error as Error).message}`);
  }
}

interface Base {
  readonly length: number;
  pieces(): Iterable<Uint8Array>;
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

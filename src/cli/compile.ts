/** `slipway compile`: the handler, its modules and included files behind a copy of a base, as one executable for each target. */
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { alignmentOf, assembled } from "../bundle/assemble.ts";
import { BundleError } from "../bundle/errors.ts";
import { encodePayload, type PartInput } from "../bundle/executable.ts";
import { type IncludedFile, includeFiles } from "../bundle/include.ts";
import { LocalesError, parseLocales, withLocales } from "../bundle/locales.ts";
import { type Bundle, bundle, stopEsbuild } from "../bundle/mod.ts";
import { digest, mapPart, sha256 } from "../bundle/pack.ts";
import { portableMap } from "../bundle/registry.ts";
import { cannotServe } from "../bundle/serves.ts";
import { hostTarget, parseTargets, type Target, TargetError } from "../bundle/targets.ts";
import { type Progress, withProgress } from "../terminal/progress.ts";
import { type Base, Bases, whole } from "./bases.ts";
import { destination, mustNotBeOneOf } from "./destination.ts";
import { errorCode, Failure, UsageError } from "./errors.ts";
import { version } from "./version.ts";
import { writeExecutable } from "./write-executable.ts";

/** Options of the verb, as the command line gives them. */
export interface CompileOptions {
  /** The executable to write; with several targets what their names begin with. */
  readonly output: string;
  /** Files and directories to embed. */
  readonly include?: readonly string[];
  /** `linux-x64`, several with commas between, or `all`; this system when absent. */
  readonly target?: string;
  /** Languages that the executable brings data of, `en,de`; all when absent. */
  readonly locales?: string;
  /** What was written, for programs. */
  readonly json?: boolean;
}

/** What came of it, for one target. */
export interface Compiled {
  readonly target: string;
  /** As it was asked for, and where that is. */
  readonly output: string;
  readonly path: string;
  readonly bytes: number;
}

/** The verb: writes the executables and says so. */
export async function compile(entry: string, options: CompileOptions): Promise<void> {
  const made = await withProgress((progress) => buildExecutables(entry, options, progress));
  if (!options.json) {
    for (const { output, bytes } of made) process.stdout.write(`${output}  ${(bytes / 1e6).toFixed(1)} MB\n`);
    return;
  }
  const told = made.map(({ path, bytes, target }) => ({ output: path, bytes, target }));
  const json = made.length === 1 ? { ...told[0], slipway: version } : { executables: told, slipway: version };
  process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`);
}

/** Writes the executables, each whole or not at all. */
export async function buildExecutables(
  entry: string,
  options: CompileOptions,
  progress?: Progress,
): Promise<readonly Compiled[]> {
  const targets = wanted(options.target);
  const places = targets.map((target) => {
    const output = outputFor(target, options.output, targets.length > 1);
    return { target, output, path: destination(output, entry) };
  });
  const languages = told("--locales", LocalesError, () => parseLocales(options.locales ?? "all"));
  const include = options.include ?? [];
  progress?.step(`Bundling ${basename(entry)}`);
  const workerFiles = include.filter((path) => /\.[cm]?[jt]sx?$/.test(path) && existsSync(path));
  const program = await bundle(entry, { also: include.map(placeOf), workerFiles, oneRoot: true });
  await stopEsbuild();
  const files = included(include, program.root);
  for (const { path, output } of places)
    mustNotBeOneOf([...program.inputs, ...files.map((file) => file.path)], path, output);
  for (const warning of program.warnings) warn(warning);
  const doubt = cannotServe(program.code);
  if (doubt !== undefined) warn(`${program.entry} will not serve: ${doubt}`);

  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(program.code) },
    mapPart(program.map),
    ...Object.values(program.workers ?? {}).flatMap(workerParts),
    ...files.map(({ name, bytes, executable }) => ({ name: `file:${name}`, bytes, executable, digest: digest(bytes) })),
  ];
  const workers = Object.values(program.workers ?? {}).map((worker) => metaOf(worker));
  const meta = { ...metaOf(program), slipway: version, ...(workers.length > 0 && { workers }) };

  const bases = new Bases();
  const made: Compiled[] = [];
  try {
    for (const { target, output, path } of places) {
      progress?.step(`${targets.length > 1 ? `${made.length + 1} of ${targets.length}: ` : ""}Writing ${output}`);
      let base = await bases.of(target);
      if (languages !== undefined && target.format !== "elf")
        warn(`${target.name} keeps the data of all languages: --locales leaves them out for Linux`);
      else if (languages !== undefined) base = reduced(base, languages);
      const payload = encodePayload(base.length, "program", meta, parts, sha256, alignmentOf(target.format));
      made.push({ target: target.name, output, path, bytes: write(path, target, base, payload) });
    }
  } finally {
    bases.close();
  }
  return made;

  function warn(text: string): void {
    progress?.pause();
    console.error(`warning: ${text}`);
  }
}

/** Other formats than ELF say in their headers what follows, so the whole of them is needed at once. */
function write(path: string, { format }: Target, base: Base, payload: Buffer): number {
  // What a signature calls it: without the folder that it is compiled in.
  const pieces = format === "elf" ? base.pieces() : assembled(format, whole(base), payload, basename(path));
  const contents = format === "elf" ? [pieces, [payload]] : [pieces];
  writeExecutable(path, ...contents);
  return statSync(path).size;
}

function wanted(list: string | undefined): readonly Target[] {
  if (list !== undefined) return told("--target", TargetError, () => parseTargets(list));
  const host = hostTarget();
  if (host === undefined)
    throw new UsageError(`slipway makes no executables for ${process.platform}-${process.arch}: name a --target`);
  return [host];
}

/** `shop`; `shop-linux-arm64` when there are several; with the ending that Windows wants. */
function outputFor(target: Target, output: string, several: boolean): string {
  const name = several ? `${output.replace(/\.exe$/i, "")}-${target.name}` : output;
  return target.suffix !== "" && !name.toLowerCase().endsWith(target.suffix) ? name + target.suffix : name;
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

/** The base without the data of other languages, which takes the whole of it in memory. */
function reduced(base: Base, languages: readonly string[]): Base {
  const bytes = told("--locales", LocalesError, () => withLocales(whole(base), languages));
  return { length: bytes.length, pieces: () => [bytes] };
}

/** What is wrong with a flag's value is told like any other wrong flag. */
function told<T>(flag: string, kind: new (message: string) => Error, what: () => T): T {
  try {
    return what();
  } catch (error) {
    throw error instanceof kind ? new UsageError(`${flag}: ${error.message}`) : error;
  }
}

/**
 * The file that `run`, `compile` and `check` are given: found, readable and a file, or a sentence that says what to do.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { errorCode, Failure, UsageError } from "./errors.ts";
import { didYouMean } from "./suggestions.ts";
import { taskHint } from "./tasks.ts";

/** The absolute path of the file named on the command line. */
export function entryFile(file: string): string {
  const path = resolve(file);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw missing(file, path);
    if (code === "EACCES") throw unreadable(file);
    throw error;
  }
  return path;
}

/** What a folder is looked through for, in this order. */
const NAMES = ["server", "main", "mod", "index"];
const ENDINGS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/** A program that came on standard input. */
export interface Given {
  /** Where its imports start, and how messages name it. */
  readonly path: string;
  readonly contents?: string;
}

/** What `run` runs: a file, the server in a folder (this one, if nothing is named), or standard input (`-`). */
export function programToRun(file: string | undefined): Given {
  if (file === "-") return { path: resolve("$stdin.ts"), contents: standardInput() };
  return { path: programIn(file, "run") };
}

/** The absolute path of the program: the file itself, or the server in a folder (this one, if nothing is named). */
export function programIn(file: string | undefined, verb: "run" | "compile"): string {
  const folder = file ?? ".";
  if (!isFolder(resolve(folder))) return entryFile(folder);
  const names = new Set(namesIn(folder));
  const found = NAMES.flatMap((name) => ENDINGS.map((ending) => name + ending)).find((name) => names.has(name));
  if (found !== undefined) return entryFile(join(folder, found));
  const none = `there is no server.ts, main.ts, mod.ts or index.ts in ${file === undefined ? "this folder" : file}`;
  if (file === undefined)
    throw new UsageError(`${verb} needs a file: ${none}; name it, as in slipway ${verb} server.ts`);
  const other = [...names].find((name) => /(?<!\.d)\.[cm]?[jt]sx?$/.test(name));
  if (other === undefined) throw new Failure(`${none}: make one with slipway new <name>`);
  throw new Failure(`${none}: name the file, for example slipway ${verb} ${join(folder, other)}`);
}

/** The names in the folder of a program, which has to be readable. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw errorCode(error) === "EACCES" ? unreadable(folder) : error;
  }
}

function unreadable(file: string): Failure {
  return new Failure(`${file} may not be read by this user: check it and its folders with ls -l`);
}

function standardInput(): string {
  try {
    const text = readFileSync(0, "utf8");
    if (text.trim() !== "") return text;
  } catch (error) {
    throw new Failure(`standard input cannot be read (${errorCode(error)}): pipe the program in, or name its file`);
  }
  throw new Failure("standard input is empty: pipe the program in, as in slipway run - < server.ts");
}

/**
 * What `compile` calls the executable when nobody says: the file's name without its ending, in the current folder. For
 * Windows it gets one of its own, there.
 */
export function outputName(entry: string): string {
  const output = basename(entry, extname(entry));
  // A file without an ending would be overwritten by its own executable.
  return resolve(output) === entry || isFolder(output) ? `${output}.bin` : output;
}

function missing(file: string, path: string): Failure {
  if (/^https?:\/\//.test(file))
    return new Failure(`${file}: nothing is fetched from the network: save it to a file, and run that`);
  const folder = dirname(path);
  const task = taskHint(file, folder);
  if (task !== undefined) return new Failure(task);
  if (!existsSync(folder)) return new Failure(`there is no file ${file}: its folder does not exist`);
  const hint = didYouMean(basename(path), filesIn(folder));
  return new Failure(`there is no file ${file}${hint}: check the name, or make a server with slipway new <name>`);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/**
 * The file that `run`, `compile` and `check` are given: found, readable and a file, or a sentence that says what to do.
 */
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { errorCode, Failure } from "./errors.ts";
import { didYouMean } from "./suggestions.ts";

/** The absolute path of the program named on the command line. */
export function entryFile(file: string, verb: "run" | "compile" | "check"): string {
  const path = resolve(file);
  try {
    if (statSync(path).isDirectory()) throw new Failure(`${file} is a folder: name the file, ${exampleIn(file, verb)}`);
    accessSync(path, constants.R_OK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw missing(file, path);
    if (code === "EACCES")
      throw new Failure(`${file} may not be read by this user: check it and its folders with ls -l`);
    throw error;
  }
  return path;
}

/** What `compile` calls the executable when nobody says: the file's name without its ending, in the current folder. */
export function outputName(entry: string): string {
  const name = basename(entry, extname(entry));
  const output = process.platform === "win32" ? `${name}.exe` : name;
  // A file without an ending would be overwritten by its own executable.
  return resolve(output) === entry || isFolder(output) ? `${output}.bin` : output;
}

function missing(file: string, path: string): Failure {
  const folder = dirname(path);
  if (!existsSync(folder)) return new Failure(`there is no file ${file}: its folder does not exist`);
  const hint = didYouMean(basename(path), filesIn(folder));
  return new Failure(`there is no file ${file}${hint}: check the name, or make a server with slipway new <name>`);
}

function exampleIn(folder: string, verb: string): string {
  const candidates = filesIn(folder).filter((name) => /\.[cm]?[jt]sx?$/.test(name));
  const likely = candidates.find((name) => /^(server|main|index|app|mod)\./.test(name)) ?? candidates[0] ?? "server.ts";
  return `for example slipway ${verb} ${join(folder, likely)}`;
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

/**
 * Where `compile` may write. It replaces a file that it made itself, and nothing else: an executable has no way back to
 * the text that a wrong -o destroyed.
 */
import { existsSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { hasPayload, openPayload } from "../bundle/executable.ts";
import { errorCode, UsageError } from "./errors.ts";

const another = "choose another name with --output";

/**
 * The file to write for `output` as it was typed, a link followed to what it names; throws when something stands there
 * that must not be lost.
 */
export function destination(output: string, entry: string): string {
  const path = followed(output);
  if (!existsSync(dirname(path))) {
    throw new UsageError(`there is no directory ${dirname(output)} for ${basename(path)}: make it first`);
  }
  // Deeper than a file: lstat says ENOTDIR, for which there is no better sentence than the system's.
  const stat = attempt(output, () => lstatSync(path, { throwIfNoEntry: false }));
  if (stat === undefined) return path;
  if (!stat.isFile()) throw new UsageError(`${output} is ${kindOf(stat)}: ${another}`);
  if (sameFile(path, entry)) throw new UsageError(`${output} is the program itself: ${another}`);
  // What mktemp(1) made is there to be written.
  if (stat.size === 0) return path;
  if (!attempt(output, () => hasPayload(path))) {
    throw new UsageError(`${output} exists and was not made by slipway compile: ${another}, or remove it`);
  }
  if (isCommandLine(path)) throw new UsageError(`${output} is slipway itself: ${another}`);
  return path;
}

/** Refuses a destination that the program is made of: an executable may be imported or included like any other file. */
export function mustNotBeOneOf(inputs: readonly string[], path: string, output: string): void {
  if (!existsSync(path)) return;
  if (inputs.some((input) => sameFile(input, path))) {
    throw new UsageError(`${output} is a part of the program: ${another}`);
  }
}

/** As a compiler writes through a link: the link stays, and what it leads to is asked what it is. */
function followed(output: string): string {
  const path = resolve(output);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return path;
  try {
    return realpathSync(path);
  } catch {
    throw new UsageError(
      `${output} is a link to ${readlinkSync(path)}, which does not exist: ${another}, or remove it`,
    );
  }
}

/** By device and inode, which tells hard links too. */
function sameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && a.dev === b?.dev && a.ino === b?.ino;
}

function isCommandLine(path: string): boolean {
  try {
    const payload = openPayload(path);
    payload?.close();
    return payload?.kind === "cli";
  } catch {
    // Damaged: nothing is lost with it.
    return false;
  }
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isFIFO()) return "a named pipe";
  return stat.isSocket() ? "a socket" : "a device";
}

function attempt<T>(output: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (errorCode(error) === "") throw error;
    throw new UsageError(`${output} cannot be looked at (${errorCode(error)}): ${another}`);
  }
}

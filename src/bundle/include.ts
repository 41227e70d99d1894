/** `--include`: which files go into a compiled program, and under which names. */
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { BundleError } from "./errors.ts";
import { hasPayload } from "./executable.ts";
import { moduleId } from "./ids.ts";

/** A file to embed. */
export interface IncludedFile {
  /** Where it is on this machine. */
  readonly path: string;
  /** Its name in the program: relative to the program's root, forward slashes. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether its owner may execute it: all that is kept of its mode. */
  readonly executable: boolean;
}

/** Folders that nobody means who includes a folder around them: packages are bundled, history is not the program's. */
const SKIPPED = ["node_modules", ".git"];

/**
 * Every file at or below each of `paths`, in byte order of their names, so that the result is the same everywhere.
 * Below a folder, `node_modules`, `.git` and executables that we made are passed over (with `--include .` each compile
 * would carry the one before); what is named itself is taken.
 */
export function includeFiles(paths: readonly string[], root: string): IncludedFile[] {
  const found = new Map<string, IncludedFile>();
  for (const path of paths) {
    const top = resolve(path);
    if (lstatSync(top, { throwIfNoEntry: false }) === undefined) {
      throw new BundleError([{ text: `--include ${path}: there is no such file or directory` }]);
    }
    walk(top, realpathSync(top), []);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

  function walk(path: string, inside: string, above: readonly string[]): void {
    // What was named itself may be a link to anywhere; a link found below it may not lead out: that is how a build
    // machine's /etc/passwd would get into an executable.
    const real = realpathSync(path);
    if (real !== inside && !real.startsWith(inside + sep)) {
      throw new BundleError([
        {
          text: `--include: ${relative(process.cwd(), path)} is a link that leads out of ${inside}, to ${real}; include that instead`,
        },
      ]);
    }
    const stat = statSync(path);
    if (stat.isDirectory()) {
      // A link to a directory that it lies in would never end.
      if (above.includes(real)) return;
      for (const entry of readdirSync(path)) {
        if (!SKIPPED.includes(entry)) walk(join(path, entry), inside, [...above, real]);
      }
    } else if (stat.isFile() && (above.length === 0 || !hasPayload(path))) {
      const name = moduleId(path, root);
      found.set(name, { path, name, bytes: readFileSync(path), executable: (stat.mode & 0o100) !== 0 });
    }
  }
}

/** `--include`: which files go into a compiled program, and under which names. */
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { BundleError } from "./errors.ts";
import { moduleId } from "./ids.ts";

/** A file to embed. */
export interface IncludedFile {
  /** Its name in the program: relative to the program's root, forward slashes. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether its owner may execute it: all that is kept of its mode. */
  readonly executable: boolean;
}

/** Every file at or below each of `paths` but `except`, in byte order of their names, so that the result is the same everywhere. */
export function includeFiles(paths: readonly string[], root: string, except: readonly string[] = []): IncludedFile[] {
  const found = new Map<string, IncludedFile>();
  for (const path of paths) {
    const top = resolve(path);
    if (lstatSync(top, { throwIfNoEntry: false }) === undefined) {
      throw new BundleError([{ text: "--include: no such file or directory", file: path }]);
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
          text: `--include: a link that leads out of ${inside}, to ${real}; include that instead`,
          file: relative(process.cwd(), path),
        },
      ]);
    }
    const stat = statSync(path);
    if (stat.isDirectory()) {
      // A link to a directory that it lies in would never end.
      if (above.includes(real)) return;
      for (const entry of readdirSync(path)) walk(join(path, entry), inside, [...above, real]);
    } else if (stat.isFile() && !except.includes(path)) {
      const name = moduleId(path, root);
      found.set(name, { name, bytes: readFileSync(path), executable: (stat.mode & 0o100) !== 0 });
    }
  }
}

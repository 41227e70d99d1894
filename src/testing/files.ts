/** Which files are tests: Deno's rules. */
import { globSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";

/** `test.ts`, `x_test.ts`, `x.test.ts`, and everything in a folder `__tests__`. */
const TEST_NAME = /^(?:.*[._])?test\.(?:[cm]?[jt]s|[jt]sx)$/;
const TEST_FOLDER = /[\\/]__tests__[\\/].*\.(?:[cm]?[jt]s|[jt]sx)$/;
/** The same for `Deno.bench`. */
const BENCH_NAME = /^(?:.*[._])?bench\.(?:[cm]?[jt]s|[jt]sx)$/;

const SKIPPED = ["node_modules", ".git", "vendor"];

export interface FileChoice {
  /** Absolute paths, in the order in which they run. */
  readonly files: readonly string[];
  /** Named, but not there. */
  readonly missing: readonly string[];
}

/** Files that were named, those that patterns name, and the tests at and below folders that were named. */
export function findFiles(
  named: readonly string[],
  kind: "test" | "bench",
  ignored: readonly string[] = [],
): FileChoice {
  const files = new Set<string>();
  const missing: string[] = [];
  const out = ignored.map((path) => resolve(path));
  const isOut = (path: string) => out.some((one) => path === one || path.startsWith(one + sep));
  for (const name of named.length === 0 ? ["."] : named) {
    const path = resolve(name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) for (const file of below(path, kind)) isOut(file) || files.add(file);
    else if (stat !== undefined) files.add(path);
    else if (/[*?[{]/.test(name)) {
      const found = globSync(name).map((one) => resolve(one));
      for (const one of found.sort()) {
        if (statSync(one).isDirectory()) for (const file of below(one, kind)) isOut(file) || files.add(file);
        else if (!isOut(one)) files.add(one);
      }
      if (found.length === 0) missing.push(name);
    } else missing.push(name);
  }
  return { files: [...files], missing };
}

function below(folder: string, kind: "test" | "bench"): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.includes(entry.name)) found.push(...below(path, kind));
    } else if (isOne(path, kind)) found.push(path);
  }
  return found;
}

function isOne(path: string, kind: "test" | "bench"): boolean {
  return kind === "bench" ? BENCH_NAME.test(basename(path)) : TEST_NAME.test(basename(path)) || TEST_FOLDER.test(path);
}

/** Which of the user's files an import means: relative paths, deno.json's map, tsconfig's paths, package.json's #imports. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { mapSpecifier } from "../../bundle/import-map.ts";
import { denoConfig, withoutComments } from "../../bundle/project.ts";

const endings = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/** Files that we can look into. */
export function isSource(path: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(path) && !/\.d\.[cm]?ts$/.test(path);
}

/** The file; null when it is ours to find and is not there; undefined when it is a package, a built-in or no code. */
export function resolveImport(specifier: string, importer: string): string | null | undefined {
  const folder = dirname(importer);
  const target = mapped(specifier, folder);
  if (target === undefined) return undefined;
  const file = findFile(target);
  if (file === undefined) return isSource(target) || !/\.\w+$/.test(target) ? null : undefined;
  return isSource(file) && !/[\\/]node_modules[\\/]/.test(file) ? file : undefined;
}

/** The absolute path that a specifier names, as written; undefined when it names none of the project's own. */
function mapped(specifier: string, folder: string): string | undefined {
  if (/^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..") return resolve(folder, specifier);
  if (specifier.startsWith("file:")) return decodeURIComponent(new URL(specifier).pathname);
  const deno = denoConfig(folder);
  const byMap = deno && mapSpecifier(deno.map, specifier, pathToFileURL(`${folder}/`).href);
  if (byMap !== undefined) return byMap?.startsWith("file:") ? fileURLToPath(byMap) : undefined;
  const byPaths = specifier.startsWith("node:") ? undefined : tsconfigPath(specifier, folder);
  return byPaths ?? (specifier.startsWith("#") ? packageImport(specifier, folder) : undefined);
}

/** One look into a map whose keys are whole specifiers or prefixes that end in `end`: the longest key that fits. */
function match(specifier: string, entries: readonly [string, unknown][], end: "/" | "*"): string | undefined {
  let best: string | undefined;
  let bestKey = "";
  for (const [key, value] of entries) {
    const target: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof target !== "string") continue;
    if (key === specifier) return target;
    const prefix = end === "*" ? key.slice(0, -1) : key;
    if (!key.endsWith(end) || !specifier.startsWith(prefix) || key.length <= bestKey.length) continue;
    bestKey = key;
    const rest = specifier.slice(prefix.length);
    best = end === "*" ? target.replace("*", () => rest) : target + rest;
  }
  return best;
}

function tsconfigPath(specifier: string, folder: string): string | undefined {
  const file = above(folder, "tsconfig.json");
  const options = file === undefined ? undefined : readJson(file)?.compilerOptions;
  if (file === undefined || typeof options !== "object" || options === null) return undefined;
  const { paths = {}, baseUrl = "." } = options as { paths?: Record<string, unknown>; baseUrl?: string };
  const target = match(specifier, Object.entries(paths), "*");
  return target === undefined ? undefined : resolve(dirname(file), baseUrl, target);
}

function packageImport(specifier: string, folder: string): string | undefined {
  const file = above(folder, "package.json");
  const imports = file === undefined ? undefined : readJson(file)?.imports;
  if (file === undefined || typeof imports !== "object" || imports === null) return undefined;
  const target = match(specifier, Object.entries(imports), "*");
  return target?.startsWith("./") ? resolve(dirname(file), target) : undefined;
}

/** As esbuild and TypeScript look: as written, `.js` for a `.ts`, with an ending, as a folder's index. */
function findFile(target: string): string | undefined {
  const stem = target.replace(/\.([cm]?)jsx?$/, ".$1");
  const candidates = [target];
  if (stem !== target) candidates.push(`${stem}ts`, `${stem}tsx`);
  candidates.push(...endings.map((ending) => target + ending));
  candidates.push(...endings.map((ending) => join(target, `index${ending}`)));
  return candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

function above(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, name))) return join(at, name);
    if (at === dirname(at)) return undefined;
  }
}

const read = new Map<string, Record<string, unknown> | undefined>();

/** A file that is not valid is `run`'s to complain about. */
function readJson(file: string): Record<string, unknown> | undefined {
  if (!read.has(file)) {
    try {
      read.set(file, JSON.parse(withoutComments(readFileSync(file, "utf8"))));
    } catch {
      read.set(file, undefined);
    }
  }
  return read.get(file);
}

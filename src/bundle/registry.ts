/**
 * What a program knows of its own modules when it runs: for computed imports, and for a part of it that is bundled later
 * and shall use the modules that are there.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Metafile, Plugin } from "esbuild";
import { inPackage, withoutAttributes } from "./ids.ts";
import type { ImportMap } from "./import-map.ts";

/** The module that knows the others, and is evaluated before them. */
export const MODULES = "slipway-modules";

export function registry(base: string, modules: readonly string[]): Plugin {
  return {
    name: MODULES,
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${MODULES}$`) }, () => ({ path: MODULES, namespace: MODULES }));
      build.onLoad({ filter: /.*/, namespace: MODULES }, () => ({
        contents: modules
          .map((name) => {
            const path = JSON.stringify(/^\.\.?\//.test(name) ? name : `./${name}`);
            return `__slipway.module(${JSON.stringify(name)}, () => import(${path}));`;
          })
          .join("\n"),
        resolveDir: base,
      }));
    },
  };
}

/** The project's modules that a computed import may name: relative to `base`, with forward slashes. */
export function importable(metafile: Metafile | undefined, base: string, entry: string): string[] {
  return Object.entries(metafile?.inputs ?? {})
    .filter(([name, { format }]) => (format === "esm" || name.endsWith(".json")) && !/^[\w-]{2,}:|^</.test(name))
    .map(([name]) => withoutAttributes(name))
    .filter((name) => !inPackage(name) && resolve(base, name) !== entry);
}

const BORROWED = "slipway-borrowed";

/** Has imports of the modules in `known` lead to those. */
export function borrowing(known: ReadonlySet<string>): Plugin {
  return {
    name: BORROWED,
    setup(build) {
      build.onResolve({ filter: /.*/, namespace: "file" }, async ({ path, pluginData, ...args }) => {
        if (pluginData !== undefined || Object.keys(args.with).length > 0) return undefined;
        const found = await build.resolve(path, { ...args, pluginData: BORROWED });
        if (found.errors.length > 0 || found.namespace !== "file" || !known.has(found.path)) return undefined;
        return { path: found.path, namespace: BORROWED };
      });
      build.onLoad({ filter: /.*/, namespace: BORROWED }, ({ path }) => ({
        contents: `module.exports = __slipway.borrowed(${JSON.stringify(path)});`,
      }));
    },
  };
}

/** The paths of modules which a build took from `known`. */
export function borrowedBy(metafile: Metafile | undefined): string[] {
  const names = Object.keys(metafile?.inputs ?? {}).filter((name) => name.startsWith(`${BORROWED}:`));
  return names.map((name) => name.slice(BORROWED.length + 1));
}

/** The map with the root's URL written as `root:/`. */
export function rootedMap(map: ImportMap, root: string): string {
  return JSON.stringify(map).replaceAll(pathToFileURL(`${root}/`).href, "root:/");
}

/** What of a rooted map an executable carries: what leads out of the project is of this machine. */
export function portableMap(rooted: string): string {
  const map: ImportMap = JSON.parse(rooted);
  const inside = (url: string | null) => url?.startsWith("file:") !== true;
  const kept = (entries: ImportMap["imports"]) => entries.filter(([key, target]) => inside(key) && inside(target));
  const scopes = map.scopes.filter(([prefix]) => inside(prefix)).map(([prefix, entries]) => [prefix, kept(entries)]);
  return JSON.stringify({ imports: kept(map.imports), scopes });
}

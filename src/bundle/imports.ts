/**
 * Where an import leads: npm:, jsr: and bare names to the nearest node_modules, deno.json's import map,
 * node: built-ins and `slipway` to what the runtime brings, and a clear sentence for what cannot be bundled.
 */
import { isBuiltin } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { packageName } from "./errors.ts";
import { mapSpecifier } from "./import-map.ts";
import type { DenoConfig } from "./project.ts";
import { runtimeModules } from "./provided.ts";
import { installs, refuseRemote } from "./remote.ts";

/** Modules of ours and of Node's, fetched from the runtime when the bundle is evaluated. */
const PROVIDED = "provided";

/** Marks our own call of esbuild's resolver, which would ask this plugin again. */
const RESOLVING = Symbol("resolving");

/** The plugin that answers every import which esbuild would not, or not as Deno and Node programs mean it. */
export function imports(config: DenoConfig | undefined): Plugin {
  return {
    name: "slipway-imports",
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => {
        if (args.kind === "entry-point" || args.pluginData === RESOLVING || args.namespace !== "file") return undefined;
        // Import maps are the project's business: a package's own imports never pass through ours, nor does what was
        // named on the command line.
        return answer(build, args, inPackage(args.importer) || args.importer === "<entry>" ? undefined : config);
      });
      build.onLoad({ filter: /.*/, namespace: PROVIDED }, ({ path }) => ({
        contents: `module.exports = __slipway.require(${JSON.stringify(path)});`,
        loader: "js",
      }));
    },
  };
}

type Answer = OnResolveResult | undefined | Promise<OnResolveResult | undefined>;

function answer(build: PluginBuild, args: OnResolveArgs, config: DenoConfig | undefined): Answer {
  const mapped = config && mapSpecifier(config.map, args.path, pathToFileURL(args.importer).href);
  if (mapped === null) return refuse(`${args.path}: the import map forbids it`);
  // Types alone, for Deno's checker: the module itself is found as if the map did not name it.
  const specifier = mapped === undefined || mapped.endsWith(".d.ts") ? args.path : mapped;
  if (Object.hasOwn(runtimeModules, specifier) || isBuiltin(specifier)) return provided(args, specifier);
  if (/^slipway(\/|$)/.test(specifier)) {
    return refuse(`there is no ${specifier}; there are ${Object.keys(runtimeModules).join(", ")}`);
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(specifier)?.[1].toLowerCase();
  switch (scheme) {
    case undefined:
      // What a relative path or an unscoped name means is esbuild's to find.
      if (specifier === args.path && !specifier.startsWith("@")) return undefined;
      return locate(build, args, specifier.startsWith("@") ? [specifier, npmNameOfJsr(specifier)] : [specifier]);
    case "npm":
      return locate(build, args, [bareName(specifier)], specifier);
    case "jsr": {
      const name = bareName(specifier);
      const member = config?.members.includes(packageName(name) ?? "") && mapSpecifier(config.map, name, "");
      if (typeof member === "string") return locate(build, args, [fileURLToPath(member)]);
      return locate(build, args, [name, npmNameOfJsr(name)], specifier);
    }
    case "http":
    case "https":
      return refuse(refuseRemote(specifier));
    case "node":
      return refuse(`${specifier}: this Node has no such built-in module`);
    case "file":
      return locate(build, args, [fileURLToPath(specifier.replace(/[?#].*$/, ""))]);
    case "data":
      return undefined;
    default:
      return refuse(`${specifier}: ${scheme}: imports are not supported; use a file, npm:, jsr: or node:`);
  }
}

/** A static import of a provided module becomes a CommonJS stub, so that no `import` line is left in the bundle. */
function provided(args: OnResolveArgs, specifier: string): OnResolveResult {
  const path = isBuiltin(specifier) && !specifier.startsWith("node:") ? `node:${specifier}` : specifier;
  return args.kind === "import-statement"
    ? { path, namespace: PROVIDED, sideEffects: false }
    : { path, external: true };
}

/** The first of the names that esbuild finds; when there is none, the sentence names what would bring `wanted`. */
async function locate(
  build: PluginBuild,
  args: OnResolveArgs,
  names: readonly string[],
  wanted: string = names[0],
): Promise<OnResolveResult> {
  const { importer, resolveDir, kind, with: attributes } = args;
  let first: OnResolveResult | undefined;
  for (const name of names) {
    const found = await build.resolve(name, {
      importer,
      resolveDir,
      kind,
      with: attributes,
      namespace: "file",
      pluginData: RESOLVING,
    });
    if (found.errors.length === 0) {
      return { path: found.path, namespace: found.namespace, external: found.external, sideEffects: found.sideEffects };
    }
    first ??= { errors: found.errors.map(({ text }) => ({ text })) };
  }
  // A file's name, or a package that is there and does not export this.
  if (packageName(names[0]) === undefined) return first ?? {};
  const shown = wanted === args.path || /^(npm|jsr):/.test(args.path) ? args.path : `${args.path} (${wanted})`;
  return refuse(`${shown}: no such package in node_modules here or above; ${installs(wanted)}`);
}

function refuse(text: string): OnResolveResult {
  return { errors: [{ text }] };
}

/** `npm:hono@^4.2/jsx` → `hono/jsx`; which version is there, node_modules decides. */
function bareName(specifier: string): string {
  const parts = /^(?:npm|jsr):\/?((?:@[^/]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/.exec(specifier);
  return parts === null ? specifier : parts[1] + (parts[2] ?? "").replace(/\/$/, "");
}

/** JSR's packages have this name where npm installs them: `@std/path/posix` → `@jsr/std__path/posix`. */
function npmNameOfJsr(name: string): string {
  return name.replace(/^@([^/]+)\/([^/]+)/, "@jsr/$1__$2");
}

function inPackage(importer: string): boolean {
  return /[\\/]node_modules[\\/]/.test(dirname(importer));
}

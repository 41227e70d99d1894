/**
 * Where an import leads: npm: specifiers and bare names to the nearest node_modules, deno.json's import map,
 * node: built-ins and `slipway` to what the runtime brings, and a clear sentence for what cannot be bundled.
 */
import { isBuiltin } from "node:module";
import { dirname, resolve } from "node:path";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { packageName } from "./errors.ts";
import type { DenoConfig } from "./project.ts";
import { runtimeModules } from "./provided.ts";

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
        // Import maps are the project's business: a package's own imports never pass through ours.
        const mapped = config === undefined || inPackage(args.importer) ? undefined : mapSpecifier(args.path, config);
        return answer(build, args, mapped ?? args.path);
      });
      build.onLoad({ filter: /.*/, namespace: PROVIDED }, ({ path }) => ({
        contents: `module.exports = __slipway.require(${JSON.stringify(path)});`,
        loader: "js",
      }));
    },
  };
}

function answer(
  build: PluginBuild,
  args: OnResolveArgs,
  specifier: string,
): OnResolveResult | undefined | Promise<OnResolveResult | undefined> {
  if (Object.hasOwn(runtimeModules, specifier) || isBuiltin(specifier)) return provided(args, specifier);
  if (/^slipway(\/|$)/.test(specifier)) {
    return refuse(`there is no ${specifier}; there are ${Object.keys(runtimeModules).join(", ")}`);
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(specifier)?.[1].toLowerCase();
  switch (scheme) {
    case undefined:
      // What the map or a relative path names is esbuild's to find, extensions as written.
      return specifier === args.path ? undefined : locate(build, args, specifier);
    case "npm":
      return locate(build, args, bareName(specifier));
    case "jsr": {
      const name = /^jsr:\/?(@[^/]+\/[^/@]+)/.exec(specifier)?.[1] ?? specifier;
      return refuse(
        `${specifier}: nothing is fetched from JSR; put the package into node_modules (npx jsr add ${name}) and import "${name}"`,
      );
    }
    case "http":
    case "https":
      return refuse(`${specifier}: nothing is fetched from the network; import a local file or an npm package instead`);
    case "node":
      return refuse(`${specifier}: this Node has no such built-in module`);
    case "file":
      return locate(build, args, decodeURIComponent(new URL(specifier).pathname));
    case "data":
      return undefined;
    default:
      return refuse(`${specifier}: ${scheme}: imports are not supported; use a file, npm: or node:`);
  }
}

/** A static import of a provided module becomes a CommonJS stub, so that no `import` line is left in the bundle. */
function provided(args: OnResolveArgs, specifier: string): OnResolveResult {
  const path = isBuiltin(specifier) && !specifier.startsWith("node:") ? `node:${specifier}` : specifier;
  return args.kind === "import-statement"
    ? { path, namespace: PROVIDED, sideEffects: false }
    : { path, external: true };
}

async function locate(build: PluginBuild, args: OnResolveArgs, specifier: string): Promise<OnResolveResult> {
  const { importer, resolveDir, kind, with: attributes } = args;
  const found = await build.resolve(specifier, {
    importer,
    resolveDir,
    kind,
    with: attributes,
    namespace: "file",
    pluginData: RESOLVING,
  });
  if (found.errors.length > 0) {
    const name = packageName(specifier);
    return name === undefined
      ? { errors: found.errors.map(({ text }) => ({ text })) }
      : refuse(`${args.path}: no such package in node_modules here or above; npm install ${name}`);
  }
  return { path: found.path, namespace: found.namespace, external: found.external, sideEffects: found.sideEffects };
}

function refuse(text: string): OnResolveResult {
  return { errors: [{ text }] };
}

/** `npm:hono@^4.2/jsx` → `hono/jsx`; which version is there, node_modules decides. */
function bareName(specifier: string): string {
  const parts = /^npm:\/?((?:@[^/]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/.exec(specifier);
  return parts === null ? specifier : parts[1] + (parts[2] ?? "");
}

/** One look into the import map: exact keys first, then the longest key that ends in a slash. */
function mapSpecifier(specifier: string, { imports, directory }: DenoConfig): string | undefined {
  let target: string | undefined = imports[specifier];
  if (target === undefined) {
    let prefix = "";
    for (const key of Object.keys(imports)) {
      if (key.endsWith("/") && specifier.startsWith(key) && key.length > prefix.length) prefix = key;
    }
    if (prefix !== "") target = imports[prefix] + specifier.slice(prefix.length);
    // Deno lets "hono": "npm:hono@4" answer for "hono/jsx" too.
    const name = packageName(specifier);
    if (target === undefined && name !== undefined && /^(npm|jsr):/.test(imports[name] ?? "")) {
      target = imports[name] + specifier.slice(name.length);
    }
  }
  // Types alone, for Deno's checker: the module itself is found as if the map did not name it.
  if (target?.endsWith(".d.ts")) return undefined;
  return target !== undefined && /^\.{0,2}\//.test(target) ? resolve(directory, target) : target;
}

function inPackage(importer: string): boolean {
  return /[\\/]node_modules[\\/]/.test(dirname(importer));
}

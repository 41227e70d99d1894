/** Our sources → the scripts of a base (src/bundle/make-base.ts puts them into one). */
import { join, relative, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import type { BaseKit } from "../src/bundle/make-base.ts";
import { bundle } from "../src/bundle/mod.ts";
import { linesOnly } from "./source-map-lines.ts";

const repository = resolve(import.meta.dirname, "..");

/** Packages of the runtime that few programs touch, so that no start has to read them: assets of their own. */
const APART = ["pino", "prom-client"];

/** The scripts. `shared`: modules of the runtime that the command line asks for, by their path in the repository. */
export async function baseKit(shared: Iterable<string> = []): Promise<BaseKit> {
  const ways = [...shared]
    .sort()
    .map((path) => `${JSON.stringify(path)}: () => require(${JSON.stringify(`./${path}`)})`);
  const start = `import { start } from "./src/cli/base.ts"; module.exports = { start: () => start({ ${ways.join(", ")} }) };`;
  const runtime = await script(start);
  const apart: Record<string, string> = {};
  for (const name of APART) apart[name] = wrapped((await script(`module.exports = require("${name}");`, [])).code);
  return {
    version: manifest.version,
    boot: (await script('import "./src/cli/boot.ts";')).code,
    runtime: wrapped(runtime.code),
    map: linesOnly(runtime.map),
    apart,
    sample: (await bundle(join(repository, "scripts/code-cache-server.ts"))).code,
    warm: await warm(),
  };
}

/** Paths, relative to the repository, of our own modules in the base. */
export async function baseModules(): Promise<Set<string>> {
  const { metafile } = await build({ ...options, entryPoints: ["src/cli/base.ts"], metafile: true });
  return new Set(Object.keys(metafile.inputs).filter((path) => /^(src|ffi)\//.test(path)));
}

/** Leaves a module to the base when the base has it, and notes that it was asked for. */
export function sharing(inBase: ReadonlySet<string>, used: Set<string>): Plugin {
  return {
    name: "slipway-sharing",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => {
        const id = relative(repository, resolve(resolveDir, path));
        if (!inBase.has(id)) return undefined;
        used.add(id);
        return { path: id, namespace: "shared" };
      });
      onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
        contents: `module.exports = __slipway.require(${JSON.stringify(path)});`,
      }));
    },
  };
}

const options = {
  absWorkingDir: repository,
  bundle: true,
  write: false,
  format: "cjs",
  platform: "node",
  target: "esnext",
  external: APART,
  outfile: "base.cjs",
  // boot.ts evaluates these as scripts, which have no import(): of a built-in it is a require, as of our own modules.
  supported: { "dynamic-import": false },
  // Names stay: stack traces of our own code are read by people.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "external",
  sourcesContent: false,
  legalComments: "none",
  define: { "import.meta.url": "undefined", "import.meta.main": "false", "import.meta.dirname": "undefined" },
} as const;

async function script(contents: string, external = APART): Promise<{ code: string; map: string }> {
  const stdin = { contents, resolveDir: repository, loader: "ts" } as const;
  const { outputFiles } = await build({ ...options, stdin, external });
  const text = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return { code: text(".cjs"), map: text(".map") };
}

/** The maker of the code cache, which runs under plain Node. */
async function warm(): Promise<string> {
  const { outputFiles } = await build({
    ...{ absWorkingDir: repository, bundle: true, write: false, format: "esm", platform: "node", target: "esnext" },
    entryPoints: ["scripts/code-cache.ts"],
  } as const);
  return outputFiles[0].text;
}

/** As boot.ts evaluates it: a function around it, on lines of its own so that the map's lines hold. */
function wrapped(code: string): string {
  return `(function(require,module,exports){\n${code}\n})`;
}

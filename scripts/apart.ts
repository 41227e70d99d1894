/**
 * Modules of ours that few servers load: each with what only it needs becomes a script of its own, packed, which
 * boot.ts unpacks when it is imported. They share the runtime's modules, so there is one of each as in the sources.
 */
import { relative, resolve } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";

/** Entries, by their path in the repository; nothing but import() may lead to them. */
const ENTRIES = [
  "src/admin/mod.ts",
  "src/cli/healthcheck.ts",
  "src/cli/web-worker/host.ts",
  "src/cli/web-worker/thread.ts",
  "src/client/h2.ts",
  "src/proxy/engine.ts",
  "src/static/serve.ts",
];

const OURS = /^\.{1,2}\/.*\.ts$/;

export interface Apart {
  /** The scripts, by the name that the runtime asks for. */
  readonly scripts: Readonly<Record<string, string>>;
  /** What they need of the runtime, by path. */
  readonly shared: ReadonlySet<string>;
}

/** `options` are those of the runtime itself; `inRuntime`: paths of its modules. */
export async function apart(options: BuildOptions, inRuntime: ReadonlySet<string>): Promise<Apart> {
  const repository = options.absWorkingDir as string;
  const shared = new Set<string>();
  for (;;) {
    const scripts: Record<string, string> = {};
    const owners = new Map<string, string>();
    let twice = false;
    for (const entry of ENTRIES) {
      const plugins = [
        leaveApart(repository),
        leaveShared(repository, new Set([...inRuntime, ...shared]), shared, entry),
      ];
      const result = await build({ ...options, entryPoints: [entry], plugins, metafile: true, sourcemap: false });
      for (const path of Object.keys(result.metafile.inputs).filter((path) => /^(src|ffi)\//.test(path))) {
        if (owners.has(path)) {
          // Two of the same would not know of each other: the runtime gets it.
          shared.add(path);
          twice = true;
        }
        owners.set(path, entry);
      }
      scripts[entry] = result.outputFiles?.[0].text ?? "";
    }
    if (!twice) return { scripts, shared };
  }
}

/** Leaves what is apart to be asked for at run time, by its path. */
export function leaveApart(repository: string): Plugin {
  return {
    name: "slipway-apart",
    setup({ onResolve }) {
      onResolve({ filter: OURS }, ({ path, resolveDir, kind, importer }) => {
        const id = relative(repository, resolve(resolveDir, path));
        if (kind === "entry-point" || !ENTRIES.includes(id)) return undefined;
        if (kind !== "dynamic-import")
          return { errors: [{ text: `${id} is kept apart (scripts/apart.ts): ${importer} has to import() it` }] };
        return { path: id, external: true };
      });
    },
  };
}

function leaveShared(repository: string, inRuntime: ReadonlySet<string>, used: Set<string>, entry: string): Plugin {
  return {
    name: "slipway-shared",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: OURS }, ({ path, resolveDir }) => {
        const id = relative(repository, resolve(resolveDir, path));
        if (id === entry || !inRuntime.has(id)) return undefined;
        used.add(id);
        return { path: id, namespace: "shared" };
      });
      onResolve({ filter: /.*/, namespace: "shared" }, ({ path }) => ({ path, external: true }));
      onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
      }));
    },
  };
}

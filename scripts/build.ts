/**
 * `npm run build`: dist/base, the executable that every compiled program starts from, and dist/slipway, the same with
 * the command line behind it. No network, nothing but what npm install brought.
 *
 *   node 26 → cut off symbols → + our runtime as the main script, + koffi's addon → base
 *   base + command line + templates + esbuild's program                            → slipway
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import { BASE_SCRIPT } from "../src/bundle/base-script.ts";
import { encodePayload, type PartInput } from "../src/bundle/executable.ts";
import { bundle, stopEsbuild } from "../src/bundle/mod.ts";
import { mapPart, sha256, writeExecutable } from "../src/cli/compile.ts";
import { stripElf } from "./elf.ts";
import { licenses } from "./licenses.ts";

const repository = resolve(import.meta.dirname, "..");
const dist = join(repository, "dist");
const require = createRequire(import.meta.url);

/** Packages of the runtime that few programs touch, so that no start has to read them: assets of their own. */
const APART = ["@deno/shim-deno"];
/** Beside the results: what they were made of. */
const STAMP = join(dist, "inputs.sha256");

/** Builds both; `extra` lets tests and experiments change how sources are found. */
export async function buildAll(extra: Plugin[] = []): Promise<void> {
  mkdirSync(dist, { recursive: true });
  // First only to learn which modules the base has: the command line shares them instead of carrying its own.
  const inBase = await baseModules(extra);
  const used = new Set<string>();
  const cli = await bundle(join(repository, "src/cli/main.ts"), {
    plugins: [...extra, sharing(inBase, used)],
    also: [join(repository, "templates/x")],
  });
  const scripts = {
    runtime: await runtimeScript(extra, [...used].sort()),
    boot: await script(extra, 'import "./src/cli/boot.ts";'),
    apart: await Promise.all(
      APART.map(async (name) => [name, wrapped(await script([], `module.exports = require("${name}");`, []))] as const),
    ),
    sample: (await bundle(join(repository, "scripts/code-cache-server.ts"))).code,
  };
  await stopEsbuild();
  const base = makeBase(scripts);
  writeExecutable(join(dist, "base"), [base]);

  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(cli.code) },
    mapPart(cli.map),
    esbuildPart(),
    ...templates(),
  ];
  parts.push({ name: "file:THIRD_PARTY_LICENSES", bytes: Buffer.from(licenses()) });
  const meta = { entry: cli.entry, provided: cli.provided, slipway: manifest.version };
  writeExecutable(join(dist, "slipway"), [base], [encodePayload(base.length, "cli", meta, parts, sha256)]);
}

/** Paths, relative to the repository, of our own modules in the base. */
async function baseModules(extra: Plugin[]): Promise<Set<string>> {
  const { metafile } = await build({ ...baseOptions(extra), entryPoints: ["src/cli/base.ts"], metafile: true });
  return new Set(Object.keys(metafile.inputs).filter((path) => /^(src|ffi)\//.test(path)));
}

/** Leaves a module to the base when the base has it, and notes that it was asked for. */
function sharing(inBase: ReadonlySet<string>, used: Set<string>): Plugin {
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

/** The runtime, and for each module of it that the command line shares a way to ask for it. */
async function runtimeScript(extra: Plugin[], shared: readonly string[]): Promise<{ code: string; map: string }> {
  const entries = shared.map((path) => `${JSON.stringify(path)}: () => require(${JSON.stringify(`./${path}`)})`);
  const start = `import { start } from "./src/cli/base.ts"; module.exports = { start: () => start({ ${entries.join(", ")} }) };`;
  const { code, map } = await script(extra, start);
  return { code: wrapped({ code }), map };
}

async function script(extra: Plugin[], contents: string, external = APART): Promise<{ code: string; map: string }> {
  const stdin = { contents, resolveDir: repository, loader: "ts" } as const;
  const { outputFiles } = await build({ ...baseOptions(extra), stdin, external });
  const text = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return { code: text(".cjs"), map: text(".map") };
}

/** As boot.ts evaluates it: a function around it, on lines of its own so that the map's lines hold. */
function wrapped({ code }: { code: string }): string {
  return `(function(require,module,exports){\n${code}\n})`;
}

function baseOptions(extra: Plugin[]) {
  return {
    absWorkingDir: repository,
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "esnext",
    external: APART,
    outfile: "base.cjs",
    // Names stay: stack traces of our own code are read by people.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    define: { "import.meta.url": "undefined", "import.meta.main": "false", "import.meta.dirname": "undefined" },
    plugins: extra,
  } as const;
}

interface Scripts {
  readonly boot: { readonly code: string };
  readonly runtime: { readonly code: string; readonly map: string };
  readonly apart: readonly (readonly [name: string, code: string])[];
  /** A program for the code cache to be made with. */
  readonly sample: string;
}

/** The pinned Node without its symbols, as a single executable with our scripts and koffi's addon in it. */
function makeBase({ boot, runtime, apart, sample }: Scripts): Buffer {
  const work = mkdtempSync(join(dist, "work-"));
  try {
    const put = (name: string, content: string | Uint8Array) =>
      writeFileSync(join(work, name), content, { mode: 0o755 });
    const node = strip(readFileSync(process.execPath));
    const addon = readFileSync(koffiAddon());
    const assets: Record<string, string> = {};
    const asset = (name: string, content: string | Uint8Array) => {
      assets[name] = name.replaceAll("/", "+");
      put(assets[name], content);
    };
    asset("koffi.node", addon);
    asset("koffi.digest", digest(addon));
    asset("base.map", mapPart(runtime.map).bytes);
    asset(BASE_SCRIPT, runtime.code);
    for (const [name, code] of apart) asset(name, code);

    const meta = { entry: "server.ts", provided: [], slipway: manifest.version };
    put(
      "warm",
      Buffer.concat([
        node,
        encodePayload(node.length, "program", meta, [{ name: "code", bytes: Buffer.from(sample) }], sha256),
      ]),
    );
    const stdio = ["ignore", "ignore", "inherit"] as const;
    execFileSync(join(work, "warm"), [join(repository, "scripts/code-cache.ts")], {
      cwd: work,
      stdio: [...stdio],
      timeout: 20_000,
    });
    assets["code cache"] = "code cache";

    put("node", node);
    put("boot.cjs", boot.code);
    // Names here are relative, since some of them get into the executable.
    const config = {
      main: "boot.cjs",
      mainFormat: "commonjs",
      executable: "node",
      output: "base",
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: false,
      // NODE_OPTIONS of whoever starts a compiled server is not for it.
      execArgvExtension: "none",
      assets,
    };
    put("sea.json", JSON.stringify(config));
    execFileSync(process.execPath, ["--build-sea", "sea.json"], { cwd: work, stdio: [...stdio] });
    // Again, for the writer added section headers behind everything.
    return strip(readFileSync(join(work, "base")));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** With SLIPWAY_BUILD_SYMBOLS=1 symbols stay, for perf(1) and gdb(1). */
function strip(program: Buffer): Buffer {
  return process.env.SLIPWAY_BUILD_SYMBOLS === "1" ? program : stripElf(program);
}

function koffiAddon(): string {
  const folder = dirname(require.resolve(`@koromix/koffi-${process.platform}-${process.arch}/package.json`));
  return join(folder, `${process.platform}_${process.arch}`, "koffi.node");
}

/** Not compressed: unpacking took 40 of the 110 ms that `slipway run` needs to its first response. */
function esbuildPart(): PartInput {
  const bytes = readFileSync(require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`));
  return { name: "esbuild", bytes, digest: digest(bytes) };
}

/** Enough of a SHA-256 to tell versions apart. */
function digest(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString("hex", 0, 8);
}

function templates(): PartInput[] {
  const folder = join(repository, "templates");
  return (readdirSync(folder, { recursive: true }) as string[])
    .sort()
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => ({ name: `file:templates/${path}`, bytes: readFileSync(join(folder, path)) }));
}

/** True when dist holds what a build would make now. */
export function isFresh(): boolean {
  try {
    return (
      ["base", "slipway"].every((name) => existsSync(join(dist, name))) && readFileSync(STAMP, "utf8") === inputs()
    );
  } catch {
    return false;
  }
}

/** A digest of everything that a build reads, dependencies by the lock file. */
function inputs(): string {
  const hash = createHash("sha256");
  for (const folder of ["ffi", "src", "templates", "scripts"]) {
    for (const path of (readdirSync(join(repository, folder), { recursive: true }) as string[]).sort()) {
      const file = join(repository, folder, path);
      if (folder === "scripts" && path.includes("/")) continue;
      if (statSync(file).isFile()) hash.update(`${folder}/${path}\0`).update(readFileSync(file));
    }
  }
  for (const file of ["package.json", "package-lock.json"]) hash.update(readFileSync(join(repository, file)));
  return hash.digest("hex");
}

if (import.meta.main) {
  rmSync(STAMP, { force: true });
  const made = inputs();
  await buildAll();
  writeFileSync(STAMP, made);
  for (const name of ["base", "slipway"]) {
    console.log(`dist/${name}  ${(statSync(join(dist, name)).size / 1e6).toFixed(1)} MB`);
  }
}

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
import { constants, zstdCompressSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import { BASE_SCRIPT, encodePayload, type PartInput } from "../src/bundle/executable.ts";
import { bundle, stopEsbuild } from "../src/bundle/mod.ts";
import { sha256, writeExecutable } from "../src/cli/compile.ts";
import { stripElf } from "./elf.ts";
import { licenses } from "./licenses.ts";

const repository = resolve(import.meta.dirname, "..");
const dist = join(repository, "dist");
const require = createRequire(import.meta.url);

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
  const script = await baseScript(extra, [...used].sort());
  await stopEsbuild();
  const base = makeBase(...script);
  writeExecutable(join(dist, "base"), [base]);

  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(cli.code) },
    { name: "map", bytes: Buffer.from(cli.map) },
    esbuildPart(),
    ...templates(),
  ];
  parts.push({ name: "file:THIRD_PARTY_LICENSES", bytes: Buffer.from(licenses()) });
  const meta = { entry: cli.entry, provided: cli.provided, slipway: manifest.version };
  writeExecutable(join(dist, "slipway"), [base, encodePayload(base.length, "cli", meta, parts, sha256)]);
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

async function baseScript(extra: Plugin[], shared: readonly string[]): Promise<[script: string, map: string]> {
  const entries = shared.map((path) => `${JSON.stringify(path)}: () => require(${JSON.stringify(`./${path}`)})`);
  const contents = `import { start } from "./src/cli/base.ts"; start({ ${entries.join(", ")} });`;
  const result = await build({ ...baseOptions(extra), stdin: { contents, resolveDir: repository, loader: "ts" } });
  const text = (ending: string) => result.outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return [text(".cjs"), text(".map")];
}

function baseOptions(extra: Plugin[]) {
  return {
    absWorkingDir: repository,
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "esnext",
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

/** The pinned Node without its symbols, as a single executable with our script and koffi's addon in it. */
function makeBase(script: string, map: string): Buffer {
  const work = mkdtempSync(join(dist, "work-"));
  try {
    const addon = readFileSync(koffiAddon());
    const put = (name: string, content: string | Buffer) => writeFileSync(join(work, name), content, { mode: 0o755 });
    // The script's name as configured is what stack traces show, so the names here are relative.
    put(BASE_SCRIPT, script);
    put("base.map", map);
    put("koffi.node", addon);
    put("koffi.digest", digest(addon));
    put("node", strip(readFileSync(process.execPath)));
    const config = {
      main: BASE_SCRIPT,
      mainFormat: "commonjs",
      executable: "node",
      output: "base",
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: process.env.SLIPWAY_BUILD_CODE_CACHE === "1",
      // NODE_OPTIONS of whoever starts a compiled server is not for it.
      execArgvExtension: "none",
      assets: { "koffi.node": "koffi.node", "koffi.digest": "koffi.digest", "base.map": "base.map" },
    };
    put("sea.json", JSON.stringify(config));
    execFileSync(process.execPath, ["--build-sea", "sea.json"], { cwd: work, stdio: ["ignore", "ignore", "inherit"] });
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

function esbuildPart(): PartInput {
  const program = readFileSync(require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`));
  const bytes = zstdCompressSync(program, { params: { [constants.ZSTD_c_compressionLevel]: 9 } });
  return { name: "esbuild", bytes, digest: digest(program) };
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

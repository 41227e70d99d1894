/**
 * `npm run build`: dist/base, the executable that every compiled program starts from, and dist/slipway, the same with
 * the command line behind it. No network, nothing but what npm install brought.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import { encodePayload, type PartInput } from "../src/bundle/executable.ts";
import { type BaseKit, makeBase } from "../src/bundle/make-base.ts";
import { bundle, stopEsbuild } from "../src/bundle/mod.ts";
import { digest, pack, sha256 } from "../src/bundle/pack.ts";
import { PARSER_PART } from "../src/bundle/parser.ts";
import { MARKED_PART } from "../src/cli/guides/marked.ts";
import { writeExecutable } from "../src/cli/write-executable.ts";
import { baseKit, baseModules, sharing } from "./base-kit.ts";
import { licenses } from "./licenses.ts";

const repository = resolve(import.meta.dirname, "..");
const dist = join(repository, "dist");
const require = createRequire(import.meta.url);
/** Beside the results: what they were made of. */
const STAMP = join(dist, "inputs.sha256");

/** What executables are made of, the same for every system but for esbuild's program. */
export interface Ingredients {
  readonly kit: BaseKit;
  /** The command line, for behind a base. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly parts: readonly PartInput[];
}

export async function ingredients(): Promise<Ingredients> {
  // The command line shares the base's modules instead of carrying its own.
  const used = new Set<string>();
  const cli = await bundle(join(repository, "src/cli/main.ts"), {
    plugins: [apart, sharing(await baseModules(), used)],
    also: [join(repository, "templates/x"), join(repository, "docs/x")],
  });
  const kit = await baseKit(used);
  const parser = await packagePart(PARSER_PART, "@babel/parser", "parse");
  const marked = await packagePart(MARKED_PART, "marked", "lexer");
  await stopEsbuild();
  const parts: PartInput[] = [
    { name: "code", bytes: Buffer.from(cli.code) },
    { name: "map", bytes: pack(cli.map) },
    parser,
    marked,
    ...folder("templates"),
    ...folder("docs").filter(({ name }) => /^file:docs\/[^/]+\.md$/.test(name)),
    { name: "file:THIRD_PARTY_LICENSES", bytes: Buffer.from(licenses()) },
  ];
  return { kit, meta: { entry: cli.entry, provided: cli.provided, slipway: manifest.version }, parts };
}

async function buildAll(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  const { kit, meta, parts } = await ingredients();
  const base = ownBase(kit);
  const bytes = readFileSync(require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`));
  const all = [...parts, esbuildPart(bytes)];
  writeExecutable(
    join(dist, "slipway"),
    [base],
    [encodePayload(base.length, "cli", { ...meta, build: digest(base) }, all, sha256)],
  );
}

/**
 * dist/base. Two made of the same are not the same bytes, V8's code cache differs: one that is there stays, so that
 * what is made of it, a targets pack, stays good.
 */
function ownBase(kit: BaseKit): Buffer {
  const file = join(dist, "base");
  const stamp = join(dist, "base.sha256");
  const made = ofWhat(kit);
  if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, "utf8") === made) return readFileSync(file);
  rmSync(stamp, { force: true });
  const base = makeBase(kit, dist);
  writeExecutable(file, [base]);
  writeFileSync(stamp, made);
  return base;
}

/** A digest of all that a base is made of. */
export function ofWhat(kit: BaseKit): string {
  const hash = createHash("sha256")
    .update(JSON.stringify(kit))
    .update(process.env.SLIPWAY_BUILD_SYMBOLS ?? "");
  for (const file of ["src/bundle/make-base.ts", "src/bundle/assemble.ts", "src/bundle/elf.ts", "package-lock.json"])
    hash.update(readFileSync(join(repository, file)));
  return hash.digest("hex");
}

/** Not compressed: unpacking took 40 of the 110 ms that `slipway run` needs to its first response. */
export function esbuildPart(bytes: Uint8Array): PartInput {
  return { name: "esbuild", bytes, digest: digest(bytes) };
}

/**
 * Only `check` parses, and only `help` reads Markdown: no other verb has to read their sources, half as much as all of
 * the command line's.
 */
const apart: Plugin = {
  name: "slipway-apart",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(@babel\/parser|marked)$/ }, ({ path }) => ({ path, namespace: "apart" }));
    // src/bundle/parser.ts and src/cli/guides/marked.ts find the parts below, and never come here.
    onLoad({ filter: /.*/, namespace: "apart" }, () => ({ contents: "" }));
  },
};

/** A packed script whose value is a function of `exports`, with one thing that a package exports. */
async function packagePart(part: string, name: string, what: string): Promise<PartInput> {
  const { outputFiles } = await build({
    stdin: { contents: `exports.${what} = require("${name}").${what};`, resolveDir: repository },
    ...{ bundle: true, write: false, minify: true, format: "cjs", platform: "node", target: "esnext" },
    legalComments: "none",
  } as const);
  return { name: part, bytes: pack(`(function(exports){\n${outputFiles[0].text}\n})`) };
}

/** What the command line finds beside itself. */
function folder(name: string): PartInput[] {
  const root = join(repository, name);
  return (readdirSync(root, { recursive: true }) as string[])
    .sort()
    .filter((path) => statSync(join(root, path)).isFile())
    .map((path) => ({ name: `file:${name}/${path}`, bytes: readFileSync(join(root, path)) }));
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
  for (const folder of ["docs", "ffi", "src", "templates", "scripts"]) {
    for (const path of (readdirSync(join(repository, folder), { recursive: true }) as string[]).sort()) {
      const file = join(repository, folder, path);
      if (folder === "scripts" && path.includes("/")) continue;
      if (statSync(file).isFile()) hash.update(`${folder}/${path}\0`).update(readFileSync(file));
    }
  }
  for (const file of ["package.json", "package-lock.json"]) hash.update(readFileSync(join(repository, file)));
  return hash.digest("hex");
}

/** Builds what is not there yet, or of other sources. */
export async function fresh(): Promise<void> {
  if (!isFresh()) await make();
}

async function make(): Promise<void> {
  rmSync(STAMP, { force: true });
  const made = inputs();
  await buildAll();
  writeFileSync(STAMP, made);
}

if (import.meta.main) {
  await make();
  for (const name of ["base", "slipway"]) {
    console.log(`dist/${name}  ${(statSync(join(dist, name)).size / 1e6).toFixed(1)} MB`);
  }
}

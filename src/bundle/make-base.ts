/**
 * Makes a base, the executable that every program starts from: Node, without its symbols, with our scripts and koffi's
 * addon in it. No compiler and no network; two seconds for the Node that runs this, more for another system's.
 *
 *   node → cut off symbols → + the runtime, its code cache, koffi's addon (node --build-sea) → base
 *
 * A code cache is what V8 made of the runtime in the very program that reads it: another system's base has none.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { LIVE_PAGE } from "../admin/live/asset.ts";
import { alignmentOf, assembled, stripped, unsigned } from "./assemble.ts";
import { BASE_SCRIPT, CODE_CACHE } from "./base-script.ts";
import { encodePayload } from "./executable.ts";
import { digest, pack, sha256 } from "./pack.ts";
import { type Format, hostTarget, koffiOf, type Target } from "./targets.ts";

/** The scripts of a base, which are the same on every system; scripts/base-kit.ts makes them of our sources. */
export interface BaseKit {
  readonly version: string;
  /** src/cli/boot.ts: the main script. */
  readonly boot: string;
  /** src/cli/base.ts and all below it, as boot.ts evaluates it, and its source map. */
  readonly runtime: string;
  readonly map: string;
  /** Packages, and modules of ours by path, that are evaluated only when asked for. Packed: that adds 1 ms to the 20 of the largest. */
  readonly apart: Readonly<Record<string, string>>;
  /** The live page as src/admin/live/page.ts reads it, in Base64. */
  readonly livePage: string;
  /** A program to make the code cache with, and the script that makes it. */
  readonly sample: string;
  readonly warm: string;
}

/**
 * V8 begins with 1 MB for what is new, which a start fills: it would be collected in the middle of that, twice, for 1 to
 * 2 ms. A server under load has more soon anyway, and an idle one touches no more of it than it fills.
 */
const HEAP = ["--min-semi-space-size=2"];

/** What a base is made of that differs by system. */
export interface BaseParts {
  readonly format: Format;
  /** Node's program, of the version that runs this. */
  readonly node: Buffer;
  /** koffi's addon. */
  readonly addon: Buffer;
  /** Whether it can be run here, to make the code cache. */
  readonly runs: boolean;
}

/** What this system's base is made of. */
function ownParts(): BaseParts {
  const target = hostTarget();
  if (target === undefined)
    throw new Error(`there are no executables for ${process.platform}-${process.arch}; docs/targets.md says for which`);
  const addon = readFileSync(koffiAddon(target));
  return { format: target.format, node: readFileSync(process.execPath), addon, runs: true };
}

/** The base's bytes. Works in a directory of its own below `place`, on a file system that may execute. */
export function makeBase(kit: BaseKit, place: string, parts: BaseParts = ownParts()): Buffer {
  const work = mkdtempSync(join(place, "slipway-base-"));
  try {
    const put = (name: string, content: string | Uint8Array) =>
      writeFileSync(join(work, name), content, { mode: 0o755 });
    const assets: Record<string, string> = {};
    const asset = (name: string, content: string | Uint8Array) => {
      assets[name] = name.replaceAll("/", "+");
      put(assets[name], content);
    };
    const node = strip(parts.node, parts.format);
    asset("koffi.node", parts.addon);
    asset("koffi.digest", digest(parts.addon));
    asset("base.map", pack(kit.map));
    asset(BASE_SCRIPT, kit.runtime);
    for (const [name, code] of Object.entries(kit.apart)) asset(name, pack(code));
    asset(LIVE_PAGE, Buffer.from(kit.livePage, "base64"));

    const cache = parts.runs ? codeCacheOf(kit, parts, node, work) : Buffer.alloc(0);
    asset(CODE_CACHE, Buffer.concat([Buffer.from([1]), cache, Buffer.alloc(7)]));

    put("node", node);
    put("boot.cjs", kit.boot);
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
      // The last has Node look at no flag of the program, not even one of its own names.
      execArgv: [...HEAP, "--"],
      assets,
    };
    put("sea.json", JSON.stringify(config));
    // Another system's takes up to half a minute.
    run(process.execPath, ["--build-sea", "sea.json"], work, 300);
    // Again, for the writer added section headers behind everything, and knows no signature.
    const base = strip(readFileSync(join(work, "base")), parts.format);
    return cache.length === 0 ? base : align(base, cache);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(program: string, args: string[], cwd: string, seconds: number): void {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"], timeout: seconds * 1000 });
}

/** What V8 makes of the runtime while it serves: it is run as an executable of ours would be, with the assets as files. */
function codeCacheOf(kit: BaseKit, { format }: BaseParts, node: Buffer, work: string): Buffer {
  const meta = { entry: "server.ts", provided: [], slipway: kit.version };
  const sample = [{ name: "code", bytes: Buffer.from(kit.sample) }];
  const payload = encodePayload(node.length, "program", meta, sample, sha256, alignmentOf(format));
  const warm = join(work, "warm");
  writeFileSync(warm, Buffer.concat(assembled(format, Buffer.from(node), payload, "warm")), { mode: 0o755 });
  writeFileSync(join(work, "warm.mjs"), kit.warm);
  run(warm, [...HEAP, "warm.mjs"], work, 60);
  return readFileSync(join(work, CODE_CACHE));
}

/**
 * Moves the code cache to the next multiple of 8 in its asset, whose first byte says how far that is: V8 would copy one
 * that lies askew, half a megabyte. What is at a multiple in the file is at one in memory.
 */
function align(base: Buffer, cache: Buffer): Buffer {
  const asset = base.indexOf(cache) - 1;
  if (asset < 0) throw new Error("the code cache is not in the executable that --build-sea wrote");
  const distance = 8 - (asset % 8);
  base.fill(0, asset, asset + cache.length + 8);
  base[asset] = distance;
  cache.copy(base, asset + distance);
  return base;
}

/** With SLIPWAY_BUILD_SYMBOLS=1 symbols stay, for perf(1) and gdb(1). */
function strip(program: Buffer, format: Format): Buffer {
  return process.env.SLIPWAY_BUILD_SYMBOLS === "1" ? unsigned(program, format) : stripped(program, format);
}

function koffiAddon(target: Target): string {
  const { resolve } = createRequire(import.meta.url);
  const [name, addon] = koffiOf(target);
  // Found from koffi, of whose dependencies it is one.
  const koffi = createRequire(resolve("koffi"));
  return join(dirname(koffi.resolve(`${name}/package.json`)), addon);
}

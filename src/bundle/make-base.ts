/**
 * Makes a base, the executable that every program starts from: the Node that runs this, without its symbols, with our
 * scripts and koffi's addon in it. No compiler and no network, two seconds.
 *
 *   node → cut off symbols → + the runtime, its code cache, koffi's addon (node --build-sea) → base
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { LIVE_PAGE } from "../admin/live/asset.ts";
import { BASE_SCRIPT } from "./base-script.ts";
import { stripElf, withoutZeros } from "./elf.ts";
import { encodePayload } from "./executable.ts";
import { digest, pack, sha256 } from "./pack.ts";

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

/** The base's bytes. Works in a directory of its own below `place`, on a file system that may execute. */
export function makeBase(kit: BaseKit, place: string): Buffer {
  const work = mkdtempSync(join(place, "slipway-base-"));
  try {
    const put = (name: string, content: string | Uint8Array) =>
      writeFileSync(join(work, name), content, { mode: 0o755 });
    const execute = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: work, stdio: ["ignore", "ignore", "inherit"], timeout: 60_000 });
    const assets: Record<string, string> = {};
    const asset = (name: string, content: string | Uint8Array) => {
      assets[name] = name.replaceAll("/", "+");
      put(assets[name], content);
    };
    const node = strip(readFileSync(process.execPath));
    const addon = readFileSync(koffiAddon());
    asset("koffi.node", addon);
    asset("koffi.digest", digest(addon));
    asset("base.map", pack(kit.map));
    asset(BASE_SCRIPT, kit.runtime);
    for (const [name, code] of Object.entries(kit.apart)) asset(name, pack(code));
    asset(LIVE_PAGE, Buffer.from(kit.livePage, "base64"));

    const meta = { entry: "server.ts", provided: [], slipway: kit.version };
    const sample = [{ name: "code", bytes: Buffer.from(kit.sample) }];
    put("warm", Buffer.concat([node, encodePayload(node.length, "program", meta, sample, sha256)]));
    put("warm.mjs", kit.warm);
    execute(join(work, "warm"), ...HEAP, "warm.mjs");
    const cache = readFileSync(join(work, "code cache"));
    asset("code cache", Buffer.concat([Buffer.from([1]), cache, Buffer.alloc(7)]));

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
    execute(process.execPath, "--build-sea", "sea.json");
    // Again, for the writer added section headers behind everything.
    return align(strip(readFileSync(join(work, "base"))), cache);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
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
function strip(program: Buffer): Buffer {
  return process.env.SLIPWAY_BUILD_SYMBOLS === "1" ? program : withoutZeros(stripElf(program));
}

function koffiAddon(): string {
  const { resolve } = createRequire(import.meta.url);
  const system = `${process.platform}-${process.arch}`;
  // Found from koffi, of whose dependencies it is one.
  const koffi = createRequire(resolve("koffi"));
  const folder = dirname(koffi.resolve(`@koromix/koffi-${system}/package.json`));
  return join(folder, `${process.platform}_${process.arch}`, "koffi.node");
}

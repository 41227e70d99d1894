/**
 * `npm run build:targets`: dist/slipway-targets.pack, the bases of the other systems that `slipway compile --target`
 * knows. With `--slipway` also dist/targets/NAME for each system: its `slipway`, and the pack for beside it.
 *
 * It fetches Node and koffi's addon for the other systems from npm, once (target-packages.ts); the rest needs no network.
 * Differences are made by zstd's own program (Debian's package zstd): Node's zlib reads them, but its encoder has no
 * counterpart of --patch-from. SLIPWAY_PACK_LEVEL is its level: 9 takes some seconds of CPU a target, 19 minutes, for 2 MB
 * less of each.
 */
import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { alignmentOf, assembled } from "../src/bundle/assemble.ts";
import { encodePayload } from "../src/bundle/executable.ts";
import { makeBase } from "../src/bundle/make-base.ts";
import { digest, sha256 } from "../src/bundle/pack.ts";
import { esbuildOf, koffiOf, TARGETS, type Target } from "../src/bundle/targets.ts";
import { encodePack, type PackInput, TargetsPack } from "../src/bundle/targets-pack.ts";
import { PACK } from "../src/cli/bases.ts";
import { writeExecutable } from "../src/cli/write-executable.ts";
import { esbuildPart, fresh, type Ingredients, ingredients, ofWhat } from "./build.ts";
import { fileOfPackage } from "./target-packages.ts";

const dist = resolve(import.meta.dirname, "../dist");
const folder = join(dist, "targets");
const kept = (name: string) => join(folder, "bases", name);
/** What the others are kept as differences to. */
const REFERENCE = TARGETS[0];
/** Of a pack, which has all systems but the one that it is for. */
const LIMIT = 100e6;
const LEVEL = Number(process.env.SLIPWAY_PACK_LEVEL ?? 9);

async function buildTargets(withCommandLine: boolean): Promise<void> {
  if (`${process.platform}-${process.arch}` !== REFERENCE.name)
    throw new Error(`the pack is made on ${REFERENCE.name}, whose base has a code cache from there`);
  await fresh();
  const made = await ingredients();
  // What is there of the same sources, and different to the same base, stays.
  const build = digest(readFileSync(join(dist, "base")));
  const stamp = join(folder, "bases.sha256");
  const inputs = `${ofWhat(made.kit)} ${build}`;
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== inputs) rmSync(folder, { recursive: true, force: true });
  mkdirSync(kept(""), { recursive: true });
  writeFileSync(stamp, inputs);

  const packed: PackInput[] = [];
  for (const target of TARGETS) {
    const began = performance.now();
    const file = kept(target.name);
    if (!existsSync(file)) writeExecutable(file, [baseOf(target, made)]);
    const base = readFileSync(file);
    const from = target === REFERENCE ? {} : { from: REFERENCE.name };
    // The reference is in the executable of its own system, and in the packs of the others.
    if (target !== REFERENCE || withCommandLine) {
      const sum = Buffer.from(sha256(base)).toString("hex");
      packed.push({
        name: target.name,
        frame: compressed(target, base.length),
        size: base.length,
        sha256: sum,
        ...from,
      });
    }
    if (withCommandLine) writeCommandLine(target, base, { ...made, meta: { ...made.meta, build } });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const length = packed.find(({ name }) => name === target.name)?.frame.length;
    const much = length === undefined ? "" : ` → ${megabytes(length)}`;
    console.log(`${target.name.padEnd(13)} ${megabytes(base.length)}${much}, ${seconds} s`);
  }
  for (const host of withCommandLine ? TARGETS : [REFERENCE]) {
    const path = join(folder, host.name, PACK);
    const frames = packed.filter(({ name }) => name !== host.name);
    const bytes = encodePack(manifest.version, build, frames);
    mkdirSync(join(folder, host.name), { recursive: true });
    writeFileSync(path, bytes);
    if (bytes.length > LIMIT) throw new Error(`${path} has more than ${megabytes(LIMIT)}: raise SLIPWAY_PACK_LEVEL`);
    console.log(`${path}  ${megabytes(bytes.length)}`);
  }
  const own = join(folder, REFERENCE.name, PACK);
  verify(own);
  rmSync(join(dist, PACK), { force: true });
  linkSync(own, join(dist, PACK));
}

function baseOf(target: Target, { kit }: Ingredients): Buffer {
  if (target === REFERENCE) return readFileSync(join(dist, "base"));
  const node = fileOfPackage(...target.node);
  const addon = fileOfPackage(...koffiOf(target));
  return makeBase(kit, folder, { format: target.format, node, addon, runs: false });
}

/** One frame of zstd's, kept beside its base. */
function compressed(target: Target, size: number): Buffer {
  const whole = target === REFERENCE;
  const level = whole ? 19 : LEVEL;
  const file = kept(target.name);
  const output = `${file}.${level}.zst`;
  if (!existsSync(output)) {
    // Of a difference: as far as the begin of what it is a difference to.
    const window = `--long=${Math.ceil(Math.log2(size)) + (whole ? 0 : 1)}`;
    const patch = whole ? [] : [`--patch-from=${kept(REFERENCE.name)}`];
    const args = ["-q", "-f", `-${level}`, "--single-thread", window, ...patch, file, "-o", `${output}.part`];
    execFileSync("zstd", args, { stdio: "inherit" });
    renameSync(`${output}.part`, output);
  }
  return readFileSync(output);
}

/** What Node reads out of the pack is what was put there. */
function verify(path: string): void {
  const pack = new TargetsPack(path);
  const reference = readFileSync(kept(REFERENCE.name));
  for (const { name } of TARGETS) {
    if (!pack.has(name)) continue;
    if (!pack.base(name, () => reference).equals(readFileSync(kept(name))))
      throw new Error(`${name} does not come out of the pack as it went in`);
  }
  pack.close();
}

/** `slipway` itself, by the way that compiled programs are made. */
function writeCommandLine(target: Target, base: Buffer, { meta, parts }: Ingredients): void {
  const all = [...parts, esbuildPart(fileOfPackage(...esbuildOf(target)))];
  const payload = encodePayload(base.length, "cli", meta, all, sha256, alignmentOf(target.format));
  mkdirSync(join(folder, target.name), { recursive: true });
  const path = join(folder, target.name, `slipway${target.suffix}`);
  writeExecutable(path, assembled(target.format, Buffer.from(base), payload, "slipway"));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

if (import.meta.main) {
  await buildTargets(process.argv.includes("--slipway"));
}

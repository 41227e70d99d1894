/** The targets pack, on a small one made here, and the words for targets. test/targets builds with the real one. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import lock from "../../package-lock.json" with { type: "json" };
import { sha256 } from "../../src/bundle/pack.ts";
import { esbuildOf, koffiOf, parseTargets, TARGETS, TargetError } from "../../src/bundle/targets.ts";
import { encodePack, PackError, type PackInput, TargetsPack } from "../../src/bundle/targets-pack.ts";
import { temporaryFolder } from "../support/process.ts";

const test = suite("targets");
const folder = temporaryFolder();
const pinned = createRequire(import.meta.url)("../../src/cli/pinned-node.cjs") as {
  readonly packages: Readonly<Record<string, readonly string[]>>;
};

// Bytes that nothing in them repeats.
const reference = Buffer.concat(Array.from({ length: 9000 }, (_, index) => sha256(Buffer.from(String(index)))));
const other = Buffer.concat([Buffer.from("another"), reference.subarray(0, 200_000), Buffer.from("end")]);

function input(name: string, bytes: Buffer, from?: string): PackInput {
  const params = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 20 };
  const dictionary = from === undefined ? {} : { dictionary: reference };
  const frame = zstdCompressSync(bytes, { params, ...dictionary });
  const sum = Buffer.from(sha256(bytes)).toString("hex");
  return { name, frame, size: bytes.length, sha256: sum, ...(from && { from }) };
}

const inputs = [input("linux-x64", reference), input("win-x64", other, "linux-x64")];

function written(bytes: Uint8Array): string {
  const path = join(folder, "pack");
  writeFileSync(path, bytes);
  return path;
}

test("bases come out as they went in; a difference is small, and takes what it is a difference to from either place", () => {
  const pack = new TargetsPack(written(encodePack("1.2.3", "abc", inputs)));
  assert.equal([pack.slipway, pack.build], ["1.2.3", "abc"]);
  assert.equal([pack.has("win-x64"), pack.has("darwin-x64"), pack.has("toString")], [true, false, false]);
  assert.ok(pack.sizes("win-x64").packed < 1000);
  assert.is(pack.sizes("win-x64").base, other.length);
  assert.equal(
    pack.base("win-x64", () => undefined),
    other,
  );
  assert.equal(
    pack.base("win-x64", (name) => (name === "linux-x64" ? reference : undefined)),
    other,
  );
  assert.equal(
    pack.base("linux-x64", () => undefined),
    reference,
  );
  pack.close();
});

test("another reference than the pack was made with is noticed", () => {
  const pack = new TargetsPack(written(encodePack("1.2.3", "abc", inputs)));
  const wrong = Buffer.from(reference);
  wrong.fill(7, 0, 200_000);
  assert.throws(() => pack.base("win-x64", () => wrong), /is damaged \(win-x64 /);
  pack.close();
});

test("a pack that was cut short, or is none, says so; a frame that was changed is noticed when it is unpacked", () => {
  const bytes = encodePack("1.2.3", "abc", inputs);
  for (const length of [0, 10, 19, 30, 200, bytes.length - 1]) {
    const opened = () => new TargetsPack(written(bytes.subarray(0, length)));
    assert.throws(opened, (error: Error) => error instanceof PackError, String(length));
  }
  assert.throws(() => new TargetsPack(written(Buffer.alloc(100, 1))), /is no targets pack/);
  const changed = Buffer.from(bytes);
  changed[changed.length - 20] ^= 1;
  const pack = new TargetsPack(written(changed));
  assert.throws(() => pack.base("win-x64", () => reference), /is damaged \(win-x64 /);
  pack.close();
  const huge = Buffer.from(bytes);
  huge.writeUInt32LE(0xffffffff, 16);
  assert.throws(() => new TargetsPack(written(huge)), /bytes are missing/);
});

test("--target: names, each once, all, and what there is not", () => {
  const names = (list: string) => parseTargets(list).map(({ name }) => name);
  assert.equal(names("win-x64, linux-arm64,win-x64"), ["win-x64", "linux-arm64"]);
  assert.equal(names("all"), ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win-x64"]);
  for (const list of ["", "plan9-mips", "linux-x64,", "all,linux-x64"])
    assert.throws(
      () => names(list),
      (error: Error) => error instanceof TargetError && /there are linux-x64, linux-arm64/.test(error.message),
    );
});

test("each target's packages are in the lock file with their hashes, and are those that npm run starts", () => {
  const packages: Readonly<Record<string, { readonly integrity?: string; readonly version?: string }>> = lock.packages;
  const versions = new Set<string | undefined>();
  for (const target of TARGETS) {
    for (const [name] of [target.node, koffiOf(target), esbuildOf(target)])
      assert.match(packages[`node_modules/${name}`]?.integrity ?? "", /^sha512-/, name);
    versions.add(packages[`node_modules/${target.node[0]}`].version);
    assert.equal(pinned.packages[`${target.platform}-${target.arch}`], target.node, target.name);
  }
  assert.is(versions.size, 1, "one version of Node: --build-sea and code caches want that");
});

test.run();

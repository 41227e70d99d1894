/** Native code from memory, and the private cache that stands in for it. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cachedFile, memoryFile, unnamedFile } from "../../ffi/embedded.ts";
import { temporaryFolder } from "../support/process.ts";

const test = suite("embedded native code");
const linux = process.platform === "linux" ? test : test.skip;
const bytes = Buffer.from("#!/bin/sh\necho it runs\n");

linux("a memory file is read by its path, by other processes too, and is gone once released", () => {
  const file = memoryFile("some name", bytes, "load");
  assert.ok(file);
  assert.is(readFileSync(file.path).toString(), bytes.toString());
  assert.is(execFileSync("/bin/cat", [file.path]).toString(), bytes.toString());
  assert.match(readlinkSync(file.path), /memfd:some name/);
  file.release();
  assert.not(existsSync(file.path));
});

linux("a file in shared memory has no name there, and is gone once released", () => {
  const before = existsSync("/dev/shm") ? readdirSync("/dev/shm").length : 0;
  const file = unnamedFile(bytes);
  // Absent where nothing in shared memory may be executed.
  if (file === undefined) return;
  assert.is(readFileSync(file.path).toString(), bytes.toString());
  assert.match(readlinkSync(file.path), /^\/dev\/shm\/#\d+ \(deleted\)$/);
  assert.is(readdirSync("/dev/shm").length, before);
  file.release();
  assert.not(existsSync(file.path));
});

linux("a program runs from memory", () => {
  const file = memoryFile("true", readFileSync("/bin/true"), "execute");
  // Where policy forbids it there is no file, and the cache serves.
  if (file === undefined) return;
  execFileSync(file.path);
  file.release();
});

linux("node:ffi is used without its warning", () => {
  const script = `import { memoryFile } from ${JSON.stringify(join(import.meta.dirname, "../../ffi/embedded.ts"))}; memoryFile("x", new Uint8Array(1), "load").release();`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  assert.is(out, "");
});

/** With only these directories to choose from. */
function withCache<T>(cache: string, call: () => T): T {
  const before = { ...process.env };
  delete process.env.HOME;
  process.env.TMPDIR = temporaryFolder();
  process.env.XDG_CACHE_HOME = cache;
  try {
    return call();
  } finally {
    process.env = before;
  }
}

test("the cache keeps one private file a version, and writes it once", () => {
  const cache = temporaryFolder();
  const path = withCache(cache, () => cachedFile("tool", "v1", bytes));
  assert.is(path, join(cache, "slipway", "tool-v1"));
  assert.is(execFileSync(path).toString(), "it runs\n");
  assert.is(lstatSync(path).mode & 0o777, 0o700);
  assert.is(lstatSync(join(cache, "slipway")).mode & 0o777, 0o700);
  const { ino } = lstatSync(path);
  assert.is(
    withCache(cache, () => cachedFile("tool", "v1", bytes)),
    path,
  );
  assert.is(lstatSync(path).ino, ino);
  assert.equal(readdirSync(join(cache, "slipway")), ["tool-v1"]);
});

test("what somebody put there instead is replaced, link or file, and never run", () => {
  const cache = temporaryFolder();
  mkdirSync(join(cache, "slipway"), { mode: 0o700 });
  const target = join(cache, "target");
  writeFileSync(target, "untouched");
  symlinkSync(target, join(cache, "slipway", "tool-v1"));
  const path = withCache(cache, () => cachedFile("tool", "v1", bytes));
  assert.is(lstatSync(path).isSymbolicLink(), false);
  assert.is(readFileSync(target, "utf8"), "untouched");
  writeFileSync(path, bytes.toString().replace("it", "no"));
  withCache(cache, () => cachedFile("tool", "v1", bytes));
  assert.equal(readFileSync(path), bytes);
});

test("a directory that others may write is passed over", () => {
  const cache = temporaryFolder();
  mkdirSync(join(cache, "slipway"));
  chmodSync(join(cache, "slipway"), 0o777);
  const path = withCache(cache, () => cachedFile("slipway-test-tool", "v1", bytes));
  assert.not.ok(path.startsWith(cache), path);
  assert.equal(readdirSync(join(cache, "slipway")), []);
});

test.run();

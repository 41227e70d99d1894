// `slipway new`: names, the current folder, --force.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fromSource, run, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const make = (args: string[], cwd = folder) => run([...fromSource, "new", ...args], { cwd });

test(". fills the current, empty folder and takes its name", async () => {
  const here = join(folder, "here");
  mkdirSync(here);
  mkdirSync(join(here, ".git"));
  const { code, stdout } = await make([".", "-t", "minimal"], here);
  assert.is(code, 0);
  assert.match(stdout, /^Made a server here from the template minimal\.\n {2}slipway run server\.ts --watch\n/);
  assert.is(JSON.parse(readFileSync(join(here, "package.json"), "utf8")).name, "here");
});

test(". in a folder that is not empty says what is in the way", async () => {
  const full = join(folder, "full");
  mkdirSync(full);
  writeFileSync(join(full, "notes.txt"), "mine");
  const { code, stderr } = await make(["."], full);
  assert.is(code, 1);
  assert.match(stderr, /this folder is not empty \(notes\.txt\)/);
  assert.equal(readdirSync(full), ["notes.txt"]);
});

test(". in a folder whose name is no project's name", async () => {
  const odd = join(folder, "my shop");
  mkdirSync(odd);
  const { code, stderr } = await make(["."], odd);
  assert.is(code, 1);
  assert.match(stderr, /this folder's name, 'my shop', cannot be a project's name/);
});

test("an empty folder may exist already", async () => {
  mkdirSync(join(folder, "empty"));
  assert.is((await make(["empty"])).code, 0);
});

test("--force overwrites what the template has and keeps the rest", async () => {
  mkdirSync(join(folder, "forced"));
  writeFileSync(join(folder, "forced/mine.txt"), "mine");
  writeFileSync(join(folder, "forced/server.ts"), "old");
  assert.is((await make(["forced"])).code, 1);
  assert.is((await make(["forced", "--force"])).code, 0);
  assert.is(readFileSync(join(folder, "forced/mine.txt"), "utf8"), "mine");
  assert.match(readFileSync(join(folder, "forced/server.ts"), "utf8"), /export default/);
});

test("the folder keeps its capitals, the package has none", async () => {
  assert.is((await make(["Shop2"])).code, 0);
  assert.is(JSON.parse(readFileSync(join(folder, "Shop2/package.json"), "utf8")).name, "shop2");
});

test("a folder that may not be written to", async () => {
  const { code, stderr } = await run([...fromSource, "new", "shop"], { cwd: "/proc" });
  assert.is(code, 1);
  assert.match(stderr, /cannot write into \/proc\/shop \(\w+\): choose a folder that you may write to\n$/);
});

test.run();

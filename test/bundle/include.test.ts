/** Which files --include takes, under which names. */
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { includeFiles } from "../../src/bundle/include.ts";
import { project } from "../support/project.ts";

const test = suite("included files");
const namesOf = (paths: string[], root: string) => includeFiles(paths, root).map(({ name }) => name);

test("directories with all below, files alone, in byte order, once", () => {
  const folder = project({
    "public/b.txt": "b",
    "public/a/c.txt": "c",
    "public/B.txt": "B",
    "one.json": "1",
    "left.txt": "",
  });
  const paths = ["public", "one.json", "public/b.txt"].map((path) => join(folder, path));
  assert.equal(namesOf(paths, folder), ["one.json", "public/B.txt", "public/a/c.txt", "public/b.txt"]);
});

test("of a file's mode only this is kept: may it be executed", () => {
  const folder = project({ "run.sh": "", "data.txt": "" });
  chmodSync(join(folder, "run.sh"), 0o4755);
  chmodSync(join(folder, "data.txt"), 0o666);
  const found = includeFiles([folder], folder).map(({ name, executable }) => [name, executable]);
  assert.equal(found, [
    ["data.txt", false],
    ["run.sh", true],
  ]);
});

test("links inside are followed; a link that leads out is refused by name", () => {
  const folder = project({ "public/a.txt": "a", "secret.txt": "s" });
  symlinkSync("a.txt", join(folder, "public/link.txt"));
  const [, link] = includeFiles([join(folder, "public")], folder);
  assert.is(link.name, "public/link.txt");
  assert.is(Buffer.from(link.bytes).toString(), "a");
  symlinkSync("../secret.txt", join(folder, "public/out.txt"));
  assert.throws(
    () => includeFiles([join(folder, "public")], folder),
    /--include: \S+out\.txt is a link that leads out of .*secret\.txt; include that instead/,
  );
});

test("a directory whose name only begins like the included one is outside", () => {
  const folder = project({ "pub/a.txt": "", "public/b.txt": "" });
  symlinkSync("../public/b.txt", join(folder, "pub/b.txt"));
  assert.throws(() => includeFiles([join(folder, "pub")], folder), /leads out/);
});

test("links in a circle end", () => {
  const folder = project({ "public/sub/a.txt": "a" });
  symlinkSync("..", join(folder, "public/sub/up"));
  symlinkSync(".", join(folder, "public/here"));
  const names = namesOf([join(folder, "public")], folder);
  assert.ok(names.includes("public/sub/a.txt"));
  assert.ok(names.length < 20, names.join(" "));
});

test("what is named itself may be a link to anywhere", () => {
  const elsewhere = project({ "x.txt": "x" });
  const folder = project({});
  symlinkSync(elsewhere, join(folder, "data"));
  assert.equal(namesOf([join(folder, "data")], folder), ["data/x.txt"]);
});

test("a missing path is named; an empty directory is nothing", () => {
  const folder = project({});
  mkdirSync(join(folder, "empty"));
  assert.equal(namesOf([join(folder, "empty")], folder), []);
  assert.throws(
    () => includeFiles([join(folder, "nope")], folder),
    /--include \S+nope: there is no such file or directory/,
  );
});

test.run();

// t.assertSnapshot(): test/testing/snapshots/deno.snap was written by Deno 2.9.6, and holds here.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Snapshots } from "../../src/testing/snapshot.ts";
import { repository, temporaryFolder } from "../support/process.ts";

const test = suite("snapshots of tests");
const folder = temporaryFolder();
const origin = pathToFileURL(join(folder, "a_test.ts")).href;
const file = join(folder, "__snapshots__/a_test.ts.snap");

class Foo {
  x = 1;
}
const value = {
  ...{ n: 1, m: new Map([["k", [1, { a: "}\n]" }]]]), s: new Set(["x"]), e: [], d: {}, f() {}, r: /a\]/ },
  ...{ foo: new Foo(), d2: new Date(0), u: undefined, nul: null, sym: Symbol("s"), bytes: new Uint8Array([1, 2]) },
  ...{ long: "x".repeat(200), nested: [[[[[[1]]]]]], big: 10n, str: 'it"s `q`', "quoted-key": 1 },
};
const native = { name: "native" };
const assertAll = (snapshots: Snapshots, n = 1): void => {
  snapshots.assert(native, { ...value, n });
  snapshots.assert(native, "plain");
  snapshots.assert(native, ["multi\nline"]);
  snapshots.assert({ name: "a step", parent: native }, 5, { name: "named", serializer: (v) => `<${v}>` });
};

test("are read as Deno wrote them, and written the same", () => {
  assert.throws(() => assertAll(new Snapshots(origin, false)), /^Missing snapshot file\.$/);
  mkdirSync(join(folder, "__snapshots__"));
  const written = join(repository, "test/testing/snapshots/deno.snap");
  copyFileSync(written, file);
  assertAll(new Snapshots(origin, false));
  const elsewhere = new Snapshots(pathToFileURL(join(folder, "b_test.ts")).href, true);
  assertAll(elsewhere);
  assert.equal(elsewhere.flush(true), [" > 4 snapshots updated."]);
  assert.is(readFileSync(join(folder, "__snapshots__/b_test.ts.snap"), "utf8"), readFileSync(written, "utf8"));
});
test("tell what differs, and what is not there", () => {
  const snapshots = new Snapshots(origin, false);
  assert.throws(
    () => assertAll(snapshots, 2),
    /Actual \/ Expected\n.*\n\+ {5}n: 2,\n- {5}n: 1,\n.*--update-snapshots/s,
  );
  assert.throws(() => snapshots.assert({ name: "new" }, 1), /^Missing snapshot: new 1$/);
  assert.throws(() => snapshots.assert({ name: "new" }, 1, "of mine"), /^of mine$/);
});
test("are brought up to date: what none asks for goes when all were asked", () => {
  const some = new Snapshots(origin, true);
  some.assert(native, "changed");
  assert.equal(some.flush(false), [" > 1 snapshot updated."]);
  assert.equal(new Snapshots(origin, true).flush(true), []);
  const all = new Snapshots(origin, true);
  all.assert(native, "changed");
  assert.equal(all.flush(true).slice(0, 2), [" > 3 snapshots removed.", "   • native 2"]);
  assert.is(readFileSync(file, "utf8"), 'export const snapshot = {};\n\nsnapshot[`native 1`] = `"changed"`;\n');
});
test.run();

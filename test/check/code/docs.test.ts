/** docs/check.md: a section for each rule, whose first example is found and whose second is clean. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { rules } from "../../../src/check/code/mod.ts";
import { checked } from "./support/marked.ts";

const guide = readFileSync(join(import.meta.dirname, "../../../docs/check.md"), "utf8");
const sections = new Map(
  guide
    .split(/^### /m)
    .slice(1)
    .map((text) => [/^`([\w-]+)` \((\w+)\)/.exec(text)?.slice(1, 3).join(" ") ?? text, text]),
);

const test = suite("docs/check.md");

test("has each rule, in their order, with its severity", () => {
  const expected = rules.map(({ id, severity }) => `${id} ${severity === "info" ? "note" : severity}`);
  assert.deepEqual([...sections.keys()], expected);
});

for (const [name, text] of sections) {
  const id = name.split(" ")[0];
  test(`${id}: the first example is found, and nothing else in it; the second is clean`, async () => {
    const [bad, good, ...more] = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code);
    assert.equal(more.length, 0);
    const found = async (code: string) => (await checked({ "server.ts": code })).findings.map((one) => one.id);
    assert.deepEqual(await found(bad), [id]);
    assert.deepEqual(await found(good), []);
  });
}

test.run();

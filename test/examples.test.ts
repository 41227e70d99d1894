// time limit: 120 s
// The examples in our public doc comments run as they stand, each in a process of its own. (src/net has its own test.)
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { repository, run } from "./support/process.ts";

const test = suite("examples");
const library = pathToFileURL(join(repository, "src/mod.ts")).href;
const folders = ["src", "src/http", "src/runtime", "src/fetch", "src/deno", "src/static", "src/websocket"];
const files = folders.flatMap((folder) =>
  readdirSync(join(repository, folder))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name}`),
);

/** The code blocks of a file's comments that are whole programs: they import what they use. */
function examples(file: string): string[] {
  const blocks = readFileSync(join(repository, file), "utf8").matchAll(/^\s*\* ```ts\n([\s\S]*?)^\s*\* ```$/gm);
  return [...blocks].map(([, block]) => block.replace(/^\s*\* ?/gm, "")).filter((code) => /from "slipway"/.test(code));
}

test("there are some", () => {
  assert.ok(files.some((file) => file === "src/mod.ts" && examples(file).length > 0));
});
for (const file of files) {
  for (const [index, example] of examples(file).entries()) {
    test(`${file}, example ${index + 1}`, async () => {
      const program = example.replaceAll('from "slipway"', `from ${JSON.stringify(library)}`);
      const command = [process.execPath, "--input-type=module-typescript", "-e", program];
      const { code, stdout, stderr } = await run(command, { timeoutSeconds: 30 });
      // console.assert prints what failed.
      assert.is(stderr, "", example);
      assert.is(code, 0, `${example}${stdout}`);
    });
  }
}

test.run();

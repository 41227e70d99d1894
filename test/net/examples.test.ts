/** The examples in the doc comments of src/net run as they stand, each in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("examples");
const folder = new URL("../../src/net/", import.meta.url);
const mod = new URL("mod.ts", folder).href;

/** The code blocks of a file's comments, without the comments' stars. */
function examples(file: string): string[] {
  const source = readFileSync(new URL(file, folder), "utf8");
  return [...source.matchAll(/^\s*\* ```ts\n([\s\S]*?)^\s*\* ```$/gm)].map((match) =>
    match[1].replace(/^\s*\* ?/gm, ""),
  );
}

for (const file of readdirSync(folder)) {
  for (const [i, example] of examples(file).entries()) {
    // Needs what systemd gives; test/net/listener.test.ts hands a descriptor on.
    if (example.includes("listenFd(3)")) continue;
    test(`${file} ${i + 1}`, async () => {
      const program = example.replaceAll('from "slipway"', `from ${JSON.stringify(mod)}`);
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      let log = "";
      child.stderr.on("data", (chunk) => (log += chunk));
      const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
      const [code, signal] = await once(child, "close");
      clearTimeout(late);
      assert.is(signal, null, "it does not end");
      assert.is(code, 0, `${example}\n${log}`);
      assert.is(log, "");
    });
  }
}

test.run();

// In a terminal (script(1) makes one): its size and its raw mode are what Deno makes of them.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/terminal.ts");

async function said(command: readonly string[]): Promise<unknown> {
  const line = `stty rows 33 cols 77; ${command.map((word) => `'${word}'`).join(" ")}`;
  const { stdout } = await run(["script", "-qec", line, "/dev/null"], { env: { NO_COLOR: "1" } });
  const [, text] = /said (.*?)\r?\n/.exec(stdout) ?? [];
  assert.ok(text, stdout);
  return JSON.parse(text);
}

const test = suite("in a terminal");
const hasScript = spawnSync("script", ["--version"]).stdout?.toString().includes("util-linux") === true;
if (denoProgram === undefined) skip(test, "size and raw mode", noDeno);
else if (!hasScript) skip(test, "size and raw mode", "script(1) of util-linux is not installed");
else {
  test("size and raw mode", async () => {
    const [ours, deno] = await Promise.all([
      said([...fromSource, "run", program]),
      said([denoProgram ?? "", "run", "-A", "--no-config", program]),
    ]);
    assert.equal(ours, deno);
    assert.equal((ours as unknown[])[0], { columns: 77, rows: 33 });
  });
}

const input = suite("standard input");
input("a read that nothing comes for does not hold Deno.exit up", async () => {
  const path = join(temporaryFolder(), "exit.ts");
  writeFileSync(path, "Deno.stdin.read(new Uint8Array(1)); setTimeout(() => Deno.exit(3), 20);");
  // `start` leaves its standard input open: a thread that read it would wait for ever.
  const { finished } = start([...fromSource, "run", path]);
  assert.is((await finished).code, 3);
});

test.run();
input.run();

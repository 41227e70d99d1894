// time limit: 60 s
// Files, processes, the runtime: some 400 calls give under `slipway run` what they give under Deno, errors included.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/surface/main.ts");

/** [name of the check, what came of it] */
type Result = [name: string, ...outcome: unknown[]];

async function results(command: readonly string[]): Promise<Result[]> {
  const input = "hello world, this is standard input\n";
  const { code, stdout, stderr } = await run(command, { env: { NO_COLOR: "1" }, input });
  assert.is(code, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

const test = suite("the namespace");
if (denoProgram === undefined) {
  skip(test, "as under Deno", noDeno);
} else {
  const ours = results([...fromSource, "run", program]);
  const expected = await results([denoProgram, "run", "-A", "--no-config", "--unstable-net", program]);
  const given = new Map((await ours).map(([name, ...outcome]) => [name, outcome]));
  test("each check has a name of its own", () => assert.is(given.size, expected.length));
  for (const [name, ...outcome] of expected) test(name, () => assert.equal(given.get(name), outcome));
}
test.run();

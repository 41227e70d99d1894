// time limit: 120 s
// Member by member: what Deno does, `Deno` under `slipway run` does too, down to the class of each error and its sentence.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/operations.ts");

/** [name of the operation, what came of it] */
type Result = [name: string, ...outcome: unknown[]];

async function results(command: readonly string[]): Promise<Result[]> {
  const { code, stdout, stderr } = await run(command, { env: { NO_COLOR: "1" } });
  assert.is(code, 0, stderr);
  return JSON.parse(stdout);
}

const test = suite("operations");
if (denoProgram === undefined) {
  skip(test, "operations as under Deno", noDeno);
} else {
  const ours = results([...fromSource, "run", program, "--", "a", "b"]);
  const expected = await results([denoProgram, "run", "-A", "--no-config", program, "a", "b"]);
  const given = new Map((await ours).map(([name, ...outcome]) => [name, outcome]));
  for (const [name, ...outcome] of expected) test(name, () => assert.equal(given.get(name), outcome));
}
test.run();

// time limit: 120 s
// What is TypeScript's alone and more than types (enums, namespaces, parameter properties) does what it does under Deno.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withParametersFirst } from "../../src/bundle/parameter-properties.ts";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const test = suite("TypeScript that is more than types");
const main = join(repository, "test/deno/programs/typescript/main.ts");
const env = { NO_COLOR: "1" };

if (denoProgram === undefined) skip(test, "is as under Deno", noDeno);
else {
  test("is as under Deno, run and compiled", async () => {
    const slipway = await slipwayBinary();
    const compiled = join(temporaryFolder(), "program");
    const made = await run([slipway, "compile", main, "-o", compiled]);
    assert.is(made.code, 0, made.stderr);
    const deno = await run([denoProgram ?? "", "run", "-A", "--no-config", "--no-check", main], { env });
    assert.is(deno.code, 0, deno.stderr);
    for (const command of [[slipway, "run", main], [compiled]]) {
      const { stdout, stderr } = await run(command, { env });
      assert.is(stdout, deno.stdout, stderr);
    }
  });
}
test("a class is left alone whose fields read no parameter, and so is JavaScript", async () => {
  for (const source of [
    "class A { b = 1; constructor(private c: number) {} }",
    "class A { b = this.c; constructor(c: number) {} }",
    "class A { static b = this; constructor(private c: number) {} }",
    "class A { @f b = this.c; constructor(private c: number) {} }",
    "class A { b = this.c; constructor(private c: number) { ",
  ]) {
    assert.is(await withParametersFirst(source, "a.ts"), undefined, source);
  }
  assert.is(await withParametersFirst("class A { b = this.c; constructor(private c) {} }", "a.js"), undefined);
});
test("lines stay where they were", async () => {
  const source = "class A extends B {\n  b: C = this.c\n  constructor(readonly c: C) {\n    super();\n    f();\n  }\n}";
  assert.is(
    await withParametersFirst(source, "a.ts"),
    "class A extends B {\n  b: C; #slipway_0() { this.b = this.c; }\n  constructor(readonly c: C) {\n    super(); this.#slipway_0();\n    f();\n  }\n}",
  );
});
test.run();

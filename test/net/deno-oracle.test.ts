/** Deno is the oracle: the same program, under it and under us, prints the same answers. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { onLinux } from "../ffi/kernel.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository, run } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/net/programs/questions.ts");
const test = suite("Deno's answers");

if (denoProgram === undefined) {
  skip(test, "sockets answer as Deno's do", noDeno);
} else {
  const deno = denoProgram;
  test("sockets answer as Deno's do", async () => {
    const installed = JSON.stringify(join(repository, "src/deno/mod.ts"));
    const ours = `import { installDeno } from ${installed}; installDeno(); await import(${JSON.stringify(program)});`;
    const [theirs, own] = await Promise.all([
      run([deno, "run", "--allow-all", "--unstable-net", "--no-check", program], { cwd: repository }),
      run([process.execPath, "--input-type=module", "-e", ours], { cwd: repository }),
    ]);
    assert.is(theirs.code, 0, theirs.stderr);
    assert.is(own.code, 0, own.stderr);
    assert.ok(theirs.stdout.split("\n").length > 50, "the program asked all of its questions");
    // The other system's numbers are its own; names and sentences are the same.
    const numberless = (text: string): string => (onLinux ? text : text.replace(/\(os error \d+\)/g, "(os error)"));
    assert.is(numberless(own.stdout), numberless(theirs.stdout));
  });
}

test.run();

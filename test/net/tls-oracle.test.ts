/** Deno is the oracle for TLS as well: the same program, under it and under us, prints the same answers. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { issue } from "../support/issued.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/net/programs/tls-questions.ts");
const test = suite("Deno's answers over TLS");

if (denoProgram === undefined) {
  skip(test, "TLS connections answer as Deno's do", noDeno);
} else {
  const deno = denoProgram;
  test("TLS connections answer as Deno's do", async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const root = issue({ name: "Root", ca: true });
    const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"] });
    writeFileSync(join(folder, "root.pem"), root.cert);
    writeFileSync(join(folder, "leaf.pem"), leaf.cert);
    writeFileSync(join(folder, "leaf-key.pem"), leaf.key);
    const installed = JSON.stringify(join(repository, "src/deno/mod.ts"));
    const ours = `import { installDeno } from ${installed}; installDeno(); await import(${JSON.stringify(program)});`;
    const options = { cwd: repository, env: { CERTS: folder } };
    const [theirs, own] = await Promise.all([
      run([deno, "run", "--allow-all", "--no-check", program], options),
      run([process.execPath, "--input-type=module", "-e", ours], options),
    ]);
    assert.is(theirs.code, 0, theirs.stderr);
    assert.is(own.code, 0, own.stderr);
    assert.ok(theirs.stdout.split("\n").length > 25, "the program asked all of its questions");
    assert.is(own.stdout, theirs.stdout);
  });
}

test.run();

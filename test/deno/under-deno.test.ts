// time limit: 60 s
// Our sources run under Deno as they are: koffi from node_modules, our poller in Deno's loop, and Deno's own Deno stays.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository, run, startServer } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/library.ts");
const expected = { count: 100, right: true, pong: "ping", late: true, task: "ran", there: true };

const test = suite("our sources");
test("as a library under Node", async () => {
  const { code, stdout, stderr } = await run([process.execPath, program]);
  assert.is(code, 0, stderr);
  assert.equal(JSON.parse(stdout), { ...expected, before: false });
});
if (denoProgram === undefined) {
  skip(test, "under Deno", noDeno);
} else {
  test("as a library under Deno", async () => {
    const { code, stdout, stderr } = await run([denoProgram ?? "", "run", "-A", program], { cwd: repository });
    assert.is(code, 0, stderr);
    assert.equal(JSON.parse(stdout), { ...expected, before: true });
  });
  test("the command line under Deno", async () => {
    const args = ["run", "-A", "src/cli/main.ts", "run", "scripts/demo.ts", "--port", "0"];
    const server = await startServer([denoProgram ?? "", ...args], { cwd: repository });
    const response = await fetch(server.url);
    assert.is(response.status, 200);
    assert.match(await response.text(), /Slipway/);
    assert.is((await server.stop()).code, 0);
  });
}
test.run();

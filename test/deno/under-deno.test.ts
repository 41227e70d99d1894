// time limit: 60 s
// Our sources run under Deno as they are: koffi from node_modules, our poller in Deno's loop, and Deno's own Deno stays.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository, run, startServer } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const programs = join(repository, "test/deno/programs");
const program = join(programs, "library.ts");
/** Test files that pass there as they are; docs/deno-library.md counts the others. */
const LISTS = ["net/conn.test.ts", "http/keep-alive.test.ts", "websocket/handshake.test.ts", "fetch/fetch.test.ts"];
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
  test("--allow-ffi is all that a server and its clients need under Deno", async () => {
    const { code, stdout, stderr } = await run([
      denoProgram ?? "",
      "run",
      "--allow-ffi",
      join(programs, "ffi-only.ts"),
    ]);
    assert.is(code, 0, stderr);
    assert.is(stdout, "hello /path\n");
  });
  test("what Deno's OpenSSL, which it does not show, would be needed for says so in one line", async () => {
    const { code, stderr } = await run([denoProgram ?? "", "run", "-A", join(programs, "tls-only.ts")]);
    assert.is(code, 1);
    assert.match(
      stderr,
      /TLS is not supported on this host: it exports no OpenSSL \(slipway's own executable and Node do\)/,
    );
  });
  for (const file of LISTS) {
    test(`${file} under Deno`, async () => {
      const { code, stdout, stderr } = await run([denoProgram ?? "", "run", "-A", join(repository, "test", file)]);
      assert.is(code, 0, stdout + stderr);
      assert.match(stdout, /Skipped: +0/);
    });
  }
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

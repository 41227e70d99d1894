// time limit: 240 s
// SIGUSR1 prints the table of tasks, and never opens Node's debugger: whatever is run, and as early as it may come.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, fromSource, run, start, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const table = /^(?:\d+ tasks?|no tasks)$/m;

write("server.ts", "console.log('loaded'); export default { fetch: () => new Response('ok') };");
write("listen.ts", "Deno.listen({ port: 0 }).accept(); console.log('loaded');");
write("tool.ts", "console.log('loaded'); setInterval(() => {}, 1000);");
write(
  "own.ts",
  "process.on('SIGUSR1', () => console.log('mine')); console.log('loaded'); setInterval(() => {}, 1000);",
);
write("early.ts", "process.kill(process.pid, 'SIGUSR1'); setInterval(() => {}, 1000);");

async function printsTable(command: readonly string[], ready = /loaded/): Promise<void> {
  const started = start(command, { cwd: folder });
  await started.saw(ready);
  started.child.kill("SIGUSR1");
  await started.saw(table);
  const { stderr } = await started.stop("SIGKILL");
  assert.not.match(stderr, /Debugger/);
}

if (process.platform !== "win32") {
  for (const file of ["server.ts", "listen.ts", "tool.ts", "early.ts"]) {
    const args = file === "server.ts" ? ["--port", "0"] : [];
    const ready = file === "early.ts" ? table : /loaded/;
    test(`run ${file}`, () => printsTable([...fromSource, "run", file, ...args], ready));
    test(`${file}, compiled`, async () => {
      const binary = await slipwayBinary();
      const made = await run([binary, "compile", file, "-o", `${file}.out`], { cwd: folder });
      assert.is(made.code, 0, made.stderr);
      await printsTable([join(folder, `${file}.out`), ...args], ready);
    });
  }
  test("run --watch passes it on to the version that serves", () =>
    printsTable([...fromSource, "run", "server.ts", "--watch", "--port", "0"], /Listening on/));
  test("a program that listens to it itself is left alone with it", async () => {
    const started = start([...fromSource, "run", "own.ts"], { cwd: folder });
    await started.saw(/loaded/);
    started.child.kill("SIGUSR1");
    await started.saw(/mine/);
    assert.is((await started.stop("SIGKILL")).stderr, "");
  });
}

test.after(endProcesses);
test.run();

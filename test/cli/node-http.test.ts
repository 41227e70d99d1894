// Programs that serve with node:http: what does not apply is said once, and SIGTERM ends them as it ends others.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, start, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const program = (handler: string, more = "") => `
  import { createServer } from "node:http";
  const server = createServer(${handler});
  server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
  ${more}`;
const run = async (name: string, text: string, ...args: string[]) => {
  writeFileSync(join(folder, name), text);
  const started = start([...fromSource, "run", name, "--log-format", "text", ...args], { cwd: folder });
  const [, port] = await started.saw(/port (\d+)/);
  return { ...started, url: `http://127.0.0.1:${port}/` };
};
const answers = "(request, response) => response.end('ok')";

test("what does not apply is said, once", async () => {
  const second = "createServer().listen(0, '127.0.0.1', () => console.log('second'));";
  const server = await run("two.ts", program(answers, second));
  await server.saw(/second/);
  await server.saw(/listens with node:http: limits/);
  assert.is(await (await fetch(server.url)).text(), "ok");
  // The connection that fetch keeps is idle.
  const { code, stderr } = await server.stop();
  assert.is(code, 0);
  assert.is(stderr.match(/node:http/g)?.length, 1);
});

test("a request under way is finished", async () => {
  const text = program(
    "(request, response) => { console.log('in'); answer = () => response.end('late'); }",
    "let answer;",
  );
  const server = await run(
    "late.ts",
    `${text}
    server.on("close", () => console.log("closed"));
    const close = server.close.bind(server);
    server.close = (done) => { setImmediate(() => answer()); return close(done); };`,
  );
  await server.saw(/node:http/);
  const answer = fetch(server.url).then((response) => response.text());
  await server.saw(/in\n/);
  const { code, stdout } = await server.stop();
  assert.is(await answer, "late");
  assert.match(stdout, /closed/);
  assert.is(code, 0);
});

test("one that does not end is cut after drainTimeout", async () => {
  const server = await run("never.ts", program("() => console.log('in')"), "--drain-timeout", "100ms");
  await server.saw(/node:http/);
  const answer = fetch(server.url).catch(() => "cut");
  await server.saw(/in\n/);
  assert.is((await server.stop()).code, 1);
  assert.is(await answer, "cut");
});

test("a program with a listener of its own ends as it says", async () => {
  const server = await run("own.ts", program(answers, "process.on('SIGTERM', () => process.exit(7));"));
  await server.saw(/node:http/);
  assert.is((await server.stop()).code, 7);
});

test.after(endProcesses);
test.run();

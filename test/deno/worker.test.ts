// time limit: 240 s
// Web workers: one program gives the same lines under Deno, under `slipway run` and compiled; and how they fail and end.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { endProcesses, repository, run, startServer, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const programs = join(repository, "test/deno/programs/workers");
const env = { NO_COLOR: "1" };
const binary = await slipwayBinary();
const folder = temporaryFolder();

function write(name: string, text: string): string {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), text);
  return name;
}

async function compiled(name: string, ...more: readonly string[]): Promise<string> {
  const made = await run([binary, "compile", name, ...more, "-o", "program"], { cwd: folder });
  assert.is(made.code, 0, made.stderr);
  return join(folder, "program");
}

const same = suite("web workers");
if (denoProgram !== undefined) {
  const expected = run([denoProgram, "run", "-A", "--no-config", "--no-check", "main.ts"], { cwd: programs, env });
  const answers = async (command: readonly string[], cwd: string): Promise<string> => {
    const { code, stdout, stderr } = await run(command, { cwd, env });
    assert.is(stdout, (await expected).stdout, stderr);
    assert.is(code, 7);
    return stderr;
  };
  same("answer under slipway run as under Deno", async () => {
    assert.is((await expected).code, 7, (await expected).stderr);
    const stderr = await answers([binary, "run", "main.ts"], programs);
    assert.match(stderr, /^Uncaught \(in worker "failing"\) RangeError: thrown in the worker\n {4}at .*worker\.ts:\d+/);
  });
  same("and so do they compiled, where no source lies beside", async () => {
    const program = join(folder, "main");
    const command = [binary, "compile", "main.ts", "--include", "computed.ts", "-o", program];
    const made = await run(command, { cwd: programs });
    assert.is(made.code, 0, made.stderr);
    const stderr = await answers([program], folder);
    assert.match(stderr, /^Uncaught \(in worker "failing"\) RangeError: thrown in the worker\n {4}at .*worker\.ts:\d+/);
  });
} else {
  skip(same, "answer as under Deno", noDeno);
}
same.run();

const failing = suite("a web worker that fails");
failing("at its load: the process ends with 1, and says where", async () => {
  write("throws.ts", "function foo() {\n  throw new Error('foo');\n}\nfoo();\n");
  const name = write(
    "load.ts",
    `const worker = new Worker(new URL("./throws.ts", import.meta.url), { type: "module", name: "bar" });
worker.addEventListener("error", (e) => console.log(e.message, e.filename.replace(/.*[/]/, ""), e.lineno, e.colno));
setInterval(() => {}, 1000);`,
  );
  for (const command of [[binary, "run", name], [await compiled(name)]]) {
    const { code, stdout, stderr } = await run(command, { cwd: folder });
    assert.is(stdout, "Uncaught (in promise) Error: foo throws.ts 2 9\n");
    assert.match(stderr, /^Uncaught \(in worker "bar"\) \(in promise\) Error: foo\n {4}at foo \(\S*throws\.ts:2:9\)/);
    assert.match(stderr, /\nUncaught \(in promise\) Error: Unhandled error in child worker\.\n$/);
    assert.is(code, 1);
  }
});
failing("one inside the other: each says so", async () => {
  write("outer.ts", `new Worker(new URL("./throws.ts", import.meta.url), { type: "module", name: "inner" });`);
  const name = write(
    "outermost.ts",
    `new Worker(new URL("./outer.ts", import.meta.url), { type: "module", name: "outer" });`,
  );
  const { code, stderr } = await run([binary, "run", name], { cwd: folder });
  assert.match(stderr, /in worker "inner"\) \(in promise\) Error: foo\n/);
  assert.match(stderr, /in worker "outer"\) \(in promise\) Error: Unhandled error in child worker\.\n/);
  assert.match(stderr, /Uncaught \(in promise\) Error: Unhandled error in child worker\.\n$/);
  assert.is(code, 1);
});
failing("what is no worker says what to do", async () => {
  const name = write(
    "refused.ts",
    `const tried = (url, options = { type: "module" }) => {
  try { new Worker(url, options); } catch (e) { console.log(e.name + ": " + e.message); }
};
tried("./a.ts"); tried("https://example.com/a.ts"); tried(import.meta.url, {}); tried("ftp://x/a.ts");
const worker = new Worker(import.meta.resolve("./missing" + ".ts"), { type: "module" });
worker.onerror = (e) => { console.log(e.message.replace(/file:[^"]*[/]/, "")); e.preventDefault(); };`,
  );
  const lines = [
    `TypeError: Invalid worker URL "./a.ts": write new URL("./a.ts", import.meta.url)`,
    `TypeError: Cannot load the worker "https://example.com/a.ts": nothing is fetched from the network; save the file beside the program, and name it with new URL("./…", import.meta.url)`,
    "NotSupportedError: Classic workers are not supported.",
    `TypeError: Unsupported scheme "ftp" of the worker "ftp://x/a.ts"`,
  ];
  const ran = await run([binary, "run", name], { cwd: folder });
  assert.is(ran.stdout, `${[...lines, 'Module not found "missing.ts".'].join("\n")}\n`);
  assert.is(ran.code, 0, ran.stderr);
  const { stdout } = await run([await compiled(name)], { cwd: folder });
  assert.match(stdout.slice(lines.join("\n").length), /^\nModule not found "missing\.ts": it is not in this program/);
});
failing.run();

const ending = suite("the end of web workers");
ending.after(endProcesses);
ending("a server in a worker drains at SIGTERM", async () => {
  write(
    "server.ts",
    `const go = new Promise((resolve) => (self.onmessage = resolve));
Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => self.postMessage(port) }, async () => {
  self.postMessage("asked");
  await go;
  return new Response("answered");
});`,
  );
  const name = write(
    "drains.ts",
    `const worker = new Worker(new URL("./server.ts", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => console.log(typeof data === "number" ? "Listening on http://127.0.0.1:" + data : data);
process.stdin.once("data", () => worker.postMessage("go"));`,
  );
  for (const command of [[binary, "run", name], [await compiled(name)]]) {
    const server = await startServer(command, { cwd: folder });
    const answer = fetch(`${server.url}/`).then((response) => response.text());
    await server.saw(/^asked$/m);
    const ended = server.stop();
    server.child.stdin?.write("go\n");
    assert.is(await answer, "answered");
    const { code, stderr } = await ended;
    assert.is(code, 0, stderr);
  }
});
ending.run();

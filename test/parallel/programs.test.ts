// Programs that listen on their own, raw servers, tools; a restart and --watch beside workers.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, run, start, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";
import { begin, countBy, folder, freePort, openMany, PROGRAM, shared, until, whoAnswers } from "./support.ts";

const programs = project({
  "again.ts": `import { threadId } from "node:worker_threads";
    export default { fetch: () => new Response("again") };
    const options = { port: Number(process.env.AGAIN_PORT), hostname: "127.0.0.1", onListen() {} };
    (async () => {
      for (let i = 0; i < 100; i++) await Deno.serve(options, () => new Response("again")).shutdown();
      console.log(threadId, "has served 100 times");
    })();`,
  "serve.ts": `import { threadId } from "node:worker_threads";
    Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => new Response(String(threadId)));`,
  "two.ts": `import { threadId } from "node:worker_threads";
    for (const name of ["a", "b"]) {
      Deno.serve({ port: 0, onListen: ({ port }) => console.log(name, threadId, port) }, () => new Response(name));
    }`,
  "listen.ts": `import { threadId } from "node:worker_threads";
    const listener = Deno.listen({ port: Number(Deno.args[0]), hostname: "127.0.0.1" });
    console.log("port", listener.addr.port);
    for await (const conn of listener) conn.write(new TextEncoder().encode(String(threadId))).then(() => conn.close());`,
  "raw.ts": `import { threadId } from "node:worker_threads";
    export default {
      port: 0,
      parallel: 2,
      async connect(conn: Deno.Conn) { await conn.write(new TextEncoder().encode(String(threadId))); },
    };`,
  "late.ts": `Deno.listen({ port: 0, hostname: "127.0.0.1" }).accept();
    await new Promise((done) => setTimeout(done, 2500));
    export default {
      port: 0,
      async fetch(request) {
        if (request.url.endsWith("/slow")) await new Promise((done) => setTimeout(done, 300));
        return new Response("late");
      },
    };`,
  "node.ts": `import { createServer } from "node:http";
    createServer((_, response) => response.end("node")).listen(0, function () { console.log("port", this.address().port); });`,
  "tool.ts": `console.log("did it"); process.exitCode = 3;`,
});

test("Deno.serve on port 0 is one port, served by every worker, said once", async () => {
  const server = await startServer([...fromSource, "run", "serve.ts", "--parallel", "2"], { cwd: programs });
  assert.ok(shared((await openMany(server.port, 20)).map(({ thread }) => thread)));
  const { code, stderr } = await server.stop();
  assert.is(code, 0);
  assert.is(stderr.match(/Listening on/g)?.length, 1);
});

test("one that listens by itself long before it exports a handler: that is announced, and drains", async () => {
  const started = begin("late.ts", programs);
  const port = Number((await started.saw(/^Listening on \S+:(\d+)\/$/m, 100))[1]);
  assert.is(await whoAnswers(port), "late");
  const answer = whoAnswers(port, "/slow");
  assert.is(await whoAnswers(port), "late");
  const { code } = await started.stop();
  assert.is(code, 0);
  assert.is(await answer, "late");
});

test("two servers on port 0 are two ports, the same ones in each worker", async () => {
  const started = begin("two.ts", programs);
  await started.saw(/(?:^[ab] \d+ \d+$\s*){4}/m);
  const lines = [...started.stdout().matchAll(/^([ab]) (\d+) (\d+)$/gm)];
  for (const name of ["a", "b"]) {
    const ports = new Set(lines.filter((line) => line[1] === name).map((line) => line[3]));
    assert.is(ports.size, 1);
    assert.is(
      await until(
        () => whoAnswers(Number([...ports][0])),
        () => true,
      ),
      name,
    );
  }
  assert.is(new Set(lines.map((line) => line[3])).size, 2);
  assert.is((await started.stop()).code, 0);
});

test("a loop over Deno.listen's connections runs in every worker", async () => {
  const started = start([...fromSource, "run", "listen.ts", "--parallel", "2", "--", "0"], { cwd: programs });
  await started.saw(/port \d+\s+port \d+/);
  const port = Number(/port (\d+)/.exec(started.stdout())?.[1]);
  const threads: string[] = [];
  for (let i = 0; i < 6; i++) threads.push(await read(port));
  assert.ok(shared(threads));
  assert.is((await started.stop()).signal, "SIGTERM");
});

test("a raw server whose file asks for workers", async () => {
  const server = await startServer([...fromSource, "run", "raw.ts"], { cwd: programs });
  const threads: string[] = [];
  for (let i = 0; i < 6; i++) threads.push(await read(server.port));
  assert.is(countBy(threads).length, 2);
  assert.is((await server.stop()).code, 0);
});

test("a program that serves with node:http has one thread, and ends as ever", async () => {
  const started = begin("node.ts", programs);
  const [, port] = await started.saw(/^port (\d+)$/m);
  assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "node");
  const { code, stdout, stderr } = await started.stop();
  assert.is(code, 0);
  assert.is(stdout.match(/port/g)?.length, 1);
  assert.match(stderr, /node:http/);
});

test("a program that drains and listens anew may do so for ever", async () => {
  const server = await startServer([...fromSource, "run", "again.ts", "--port", "0", "--parallel", "2"], {
    cwd: programs,
    env: { AGAIN_PORT: String(await freePort()) },
  });
  await Promise.all([server.saw(/^1 has served 100 times$/m), server.saw(/^2 has served 100 times$/m)]);
  const { code, stderr } = await server.stop();
  assert.is(code, 0);
  assert.not.match(stderr, /worker thread/);
});

test("a tool runs once, and its exit code is its own", async () => {
  const { code, stdout } = await run([...fromSource, "run", "tool.ts", "--parallel", "2"], { cwd: programs });
  assert.is(code, 3);
  assert.is(stdout, "did it\n");
});

test("SIGUSR2 hands the port on to a process with workers of its own", async () => {
  const server = await startServer([...fromSource, "run", "server.ts", "--port", "0", "--parallel", "2"], {
    cwd: folder,
  });
  const many = await openMany(server.port, 4);
  const slow = many.map(({ client }) => client.get("/slow"));
  const exit = once(server.child, "exit");
  server.child.kill("SIGUSR2");
  await Promise.all(slow);
  // Its output stays open: the successor has it as well.
  const [code] = await exit;
  assert.is(code, 0);
  const pid = Number(/process (\d+) has taken over/.exec(server.stderr())?.[1]);
  assert.ok(shared((await openMany(server.port, 20)).map(({ thread }) => thread)));
  process.kill(pid, "SIGTERM");
  await until(
    () => whoAnswers(server.port).catch(() => "gone"),
    (answer) => answer === "gone",
  );
});

test("--watch: a version with workers follows one with workers", async () => {
  const cwd = project({ "server.ts": PROGRAM });
  const server = await startServer([...fromSource, "run", "server.ts", "--port", "0", "--parallel", "2", "--watch"], {
    cwd,
  });
  assert.ok(shared((await openMany(server.port, 20)).map(({ thread }) => thread)));
  writeFileSync(join(cwd, "server.ts"), PROGRAM.replace("String(threadId)", '"new " + threadId'));
  await until(
    () => whoAnswers(server.port),
    (answer) => answer.startsWith("new"),
  );
  assert.ok(shared((await openMany(server.port, 20)).map(({ thread }) => thread)));
  assert.is((await server.stop()).code, 0);
});

function read(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect({ port, host: "127.0.0.1" })
      .setEncoding("utf8")
      .on("data", (data: string) => {
        text += data;
      })
      .on("error", reject)
      .on("end", () => resolve(text));
  });
}

test.after(endProcesses);
test.run();

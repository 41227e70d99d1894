// time limit: 120 s
// Plain programs: what Deno.serve prints, loops over Deno.listen, servers by default export; run and compiled.
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const folder = temporaryFolder();
function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** What a TCP server says to `text`, until it or we end. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect({ port, host: "127.0.0.1" });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`silence after ${JSON.stringify(heard)}`)));
    socket.on("error", reject).on("data", (chunk) => (heard += chunk));
    socket.on("end", () => resolve(heard));
    socket.end(text);
  });
}

/** Starts a program under `slipway run` and compiled, and hands each to the check. */
async function bothWays(
  path: string,
  ready: RegExp,
  check: (port: number) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  const compiled = `${path}.bin`;
  const made = await run([await slipwayBinary(), "compile", path, "-o", compiled]);
  assert.is(made.code, 0, made.stderr);
  for (const command of [
    [...fromSource, "run", path, ...args],
    [compiled, ...args],
  ]) {
    const started = start(command, { cwd: folder });
    const [, port] = await started.saw(ready);
    await check(Number(port));
    await started.stop();
  }
}

const printed = suite("what Deno.serve prints");
const addresses = ["port: 0", 'port: 0, hostname: "127.0.0.1"', 'port: 0, hostname: "::"', 'port: 0, hostname: "::1"'];
const announcing = write(
  "announcing.ts",
  [...addresses, `path: "${folder}/s.sock"`]
    .map((options) => `await Deno.serve({ ${options} }, () => new Response()).shutdown();`)
    .join("\n"),
);
if (denoProgram === undefined) {
  skip(printed, "the same lines as Deno, on standard error", noDeno);
} else {
  printed("the same lines as Deno, on standard error", async () => {
    const portless = (text: string) => text.replace(/:\d{4,5}\//g, ":PORT/");
    const env = { NO_COLOR: "1" };
    const [ours, deno] = [
      await run([...fromSource, "run", announcing], { env }),
      await run([denoProgram ?? "", "run", "-A", announcing], { env }),
    ];
    assert.is(portless(ours.stderr), portless(deno.stderr));
    assert.is(ours.stdout, "");
    assert.is(ours.code, 0);
  });
}

const programs = suite("programs");
programs("Deno.serve(handler), nothing else in the file", async () => {
  const path = write("hello.ts", 'Deno.serve(() => new Response("hello"));\n');
  const check = async (port: number) => {
    assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
  };
  await bothWays(path, /^Listening on http:\/\/\S*?:(\d+)\//m, check, ["--port", "0"]);
});
programs("a loop over Deno.listen that never ends", async () => {
  const path = write(
    "echo.ts",
    `const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
     console.log("port", listener.addr.port);
     for await (const conn of listener) conn.readable.pipeTo(conn.writable);`,
  );
  await bothWays(path, /^port (\d+)$/m, async (port) => {
    assert.equal(await Promise.all([talk(port, "one"), talk(port, "two")]), ["one", "two"]);
  });
});
programs("accept and read by hand, after other top-level awaits", async () => {
  const path = write(
    "accept.ts",
    `await new Promise((resolve) => setTimeout(resolve, 5));
     const { promise } = await Promise.resolve({ promise: 1 });
     const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
     console.log("port", listener.addr.port);
     while (true) serve(await listener.accept());
     async function serve(conn: Deno.Conn) {
       using open = conn;
       const buffer = new Uint8Array(4);
       for (let n = await open.read(buffer); n !== null; n = await open.read(buffer)) await open.write(buffer.subarray(0, n));
     }`,
  );
  await bothWays(path, /^port (\d+)$/m, async (port) => {
    assert.is(await talk(port, "a longer text"), "a longer text");
  });
});
programs("export default { connect }", async () => {
  const path = write(
    "upper.ts",
    `export default {
       async connect(conn: Deno.Conn) {
         for await (const chunk of conn.readable) await conn.write(chunk.map((b) => (b > 96 ? b - 32 : b)));
       },
     };`,
  );
  const check = async (port: number) => {
    assert.equal(await Promise.all([talk(port, "loud"), talk(port, "louder")]), ["LOUD", "LOUDER"]);
  };
  await bothWays(path, /^Listening on \S+:(\d+)$/m, check, ["--port", "0"]);
});
programs("export default { fetch } with Deno inside", async () => {
  const path = write(
    "fetch.ts",
    `const { env, args } = Deno;
     export default {
       fetch: (request: Request, info: Deno.ServeHandlerInfo) =>
         Response.json([info.remoteAddr.hostname, env.get("NOTHING") ?? null, args, request.method]),
     };`,
  );
  const check = async (port: number) => {
    const answer = await (await fetch(`http://127.0.0.1:${port}/`)).json();
    assert.equal(answer, ["127.0.0.1", null, [], "GET"]);
  };
  await bothWays(path, /^Listening on http:\/\/\S+?:(\d+)/m, check, ["--host", "127.0.0.1", "--port", "0"]);
});
programs("SIGTERM goes to the program's own listener", async () => {
  const path = write(
    "signals.ts",
    `const server = Deno.serve({ port: 0, onListen() {} }, () => new Response("x"));
     Deno.addSignalListener("SIGTERM", async () => {
       await server.shutdown();
       console.log("ended well");
       Deno.exit(7);
     });
     console.log("port", server.addr.port);`,
  );
  const started = start([...fromSource, "run", path]);
  await started.saw(/^port \d+$/m);
  const { code, stdout } = await started.stop();
  assert.is(code, 7);
  assert.match(stdout, /ended well/);
});
programs("a program that serves with node:http is left alone", async () => {
  const path = write(
    "node.ts",
    `import { createServer } from "node:http";
     const server = createServer((_, response) => response.end("node"));
     server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));`,
  );
  await bothWays(path, /^port (\d+)$/m, async (port) => {
    assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "node");
  });
});

const embedded = suite("files inside a compiled program");
embedded("every way to read them", async () => {
  const data = join(repository, "test/deno/programs/data");
  const path = write(
    "reads.ts",
    `const here = (name: string) => new URL(name, import.meta.url);
     const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
     const failure = async (call: () => unknown) => {
       try { await call(); } catch (error) { return [error.name, error instanceof Deno.errors[error.name]]; }
     };
     const file = await Deno.open(here("./data/greeting.txt"));
     const start = new Uint8Array(5);
     await file.read(start);
     console.log(JSON.stringify({
       readTextFile: await Deno.readTextFile(here("./data/greeting.txt")),
       readTextFileSync: Deno.readTextFileSync(here("./data/greeting.txt").pathname),
       readFile: text(await Deno.readFile(here("./data/greeting.txt"))),
       readFileSync: text(Deno.readFileSync(here("./data/greeting.txt"))),
       open: [text(start), await new Response(file.readable).text()],
       openSync: Deno.openSync(here("./data/menu.json")).statSync().isFile,
       stat: [(await Deno.stat(here("./data/greeting.txt"))).isFile, Deno.statSync(here("./data")).isDirectory],
       readDir: (await Array.fromAsync(Deno.readDir(here("./data")))).map(({ name }) => name).sort(),
       readDirSync: [...Deno.readDirSync(here("./data"))].map(({ name }) => name).sort(),
       fetch: (await (await fetch(here("./data/menu.json"))).json()).price,
       missing: await failure(() => Deno.readTextFile(here("./data/none"))),
       missingOpen: await failure(() => Deno.open(here("./data/none"))),
       missingDir: await failure(() => Array.fromAsync(Deno.readDir(here("./none")))),
       outside: (await Deno.readTextFile("/proc/self/comm")).length > 0,
       main: Deno.mainModule === import.meta.url,
       standalone: Deno.build.standalone,
     }));
     Deno.exit();`,
  );
  // Beside the program, where the URL says.
  await run(["cp", "-r", data, join(folder, "data")]);
  const compiled = join(folder, "reads");
  const made = await run([await slipwayBinary(), "compile", path, "-o", compiled, "--include", join(folder, "data")]);
  assert.is(made.code, 0, made.stderr);
  await run(["rm", "-r", join(folder, "data")]);
  const { stdout, stderr } = await run([compiled], { cwd: "/" });
  const greeting = "Hello from a file, ümlaut and all.\n";
  const notFound = ["NotFound", true];
  assert.equal(
    stdout === "" ? stderr : JSON.parse(stdout),
    {
      readTextFile: greeting,
      readTextFileSync: greeting,
      readFile: greeting,
      readFileSync: greeting,
      open: ["Hello", greeting.slice(5)],
      openSync: true,
      stat: [true, true],
      readDir: ["greeting.txt", "menu.json"],
      readDirSync: ["greeting.txt", "menu.json"],
      fetch: 3.5,
      missing: notFound,
      missingOpen: notFound,
      missingDir: notFound,
      outside: true,
      main: true,
      standalone: true,
    },
    stderr,
  );
});

printed.run();
programs.run();
embedded.run();

// time limit: 300 s
/** The executable and what it compiles, used as a person would: nothing around, nothing allowed. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { repository, run, type Started, start, temporaryFolder } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("compiled programs");
const slipway = await slipwayBinary();
/** As on a machine that has nothing of ours: no PATH, no HOME, no variables at all. */
const bare = (...command: string[]) => ["/usr/bin/env", "-i", ...command];

const server = `export default {
  fetch(request: Request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/fail") throw new Error("on purpose");
    return new Response(\`\${pathname} \${Deno.args.join(",")}\`);
  },
};
`;

async function compile(folder: string, entry: string, ...options: string[]): Promise<string> {
  const output = join(folder, "out.bin");
  const result = await run(bare(slipway, "compile", join(folder, entry), "-o", output, ...options), { cwd: folder });
  assert.is(result.code, 0, result.stderr);
  return output;
}

/** Asks a started server, whose address it prints, for each path. */
async function ask(started: Started, ...paths: string[]): Promise<string[]> {
  const [, port] = await started.saw(/Listening on http:\/\/[^\s]*?:(\d+)/);
  const answers = [];
  for (const path of paths) answers.push(await (await fetch(`http://127.0.0.1:${port}${path}`)).text());
  return answers;
}

test("sizes: slipway at most 135 MB, a compiled server at most 120 MB", async () => {
  assert.ok(statSync(slipway).size <= 135e6, `${statSync(slipway).size}`);
  const folder = project({ "server.ts": server });
  assert.ok(statSync(await compile(folder, "server.ts")).size <= 120e6);
});

test("runs as nobody, without environment, in an empty read-only directory, and writes nothing there", async () => {
  const folder = project({ "server.ts": server });
  const place = temporaryFolder();
  chmodSync(place, 0o755);
  copyFileSync(await compile(folder, "server.ts"), join(place, "shop"));
  const empty = join(place, "empty");
  mkdirSync(empty);
  chmodSync(empty, 0o555);
  const nobody = process.getuid?.() === 0 ? 65534 : undefined;
  // A busy machine would be a warning.
  const flags = ["--port", "0", "--host", "127.0.0.1", "--stall-warning", "1h"];
  const started = start(bare(join(place, "shop"), ...flags, "--", "a", "--b"), { cwd: empty, uid: nobody });
  assert.equal(await ask(started, "/x"), ["/x a,--b"]);
  const { code, stderr, stdout } = await started.stop();
  assert.is(code, 0);
  // Nothing else is printed, no warning above all.
  assert.match(stderr + stdout, /^Listening on http:\/\/\S+\n$/, stderr + stdout);
  assert.equal(readdirSync(empty), []);
});

test("NODE_OPTIONS and NODE_ENV-like variables are not for it", async () => {
  const folder = project({ "server.ts": server, "evil.cjs": `console.log("loaded"); process.exit(7);` });
  const env = {
    NODE_OPTIONS: `--require ${join(folder, "evil.cjs")}`,
    NODE_PATH: folder,
    ESBUILD_BINARY_PATH: "/bin/false",
  };
  const result = await run([slipway, "compile", "server.ts", "-o", "shop"], { cwd: folder, env });
  assert.is(result.code, 0, result.stderr);
  const started = start([join(folder, "shop"), "--port", "0"], { env });
  assert.equal(await ask(started, "/y"), ["/y "]);
  await started.stop();
});

test("a stack trace in a compiled server names the author's file, line and column", async () => {
  const folder = project({ "server.ts": server });
  const started = start(bare(await compile(folder, "server.ts"), "--port", "0", "--log-format", "text"));
  await ask(started, "/fail");
  await started.saw(/on purpose/);
  const { stderr } = await started.stop();
  assert.match(stderr, /Error: on purpose\n\s+at .*\bserver\.ts:4:37\)/);
  assert.not.match(stderr, new RegExp(folder));
});

test("an error that nobody catches ends it with code 1, the author's line, and no line of the bundle", async () => {
  const folder = project({
    "program.ts": `setTimeout(() => {\n  throw new TypeError("late", { cause: new Error("why") });\n}, 1);\nDeno.serve({ port: 0 }, () => new Response(""));`,
  });
  const { code, stderr } = await run(bare(await compile(folder, "program.ts")));
  assert.is(code, 1);
  assert.match(stderr, /Uncaught TypeError: late\n\s+at .*program\.ts:2:9/);
  assert.match(stderr, /Caused by: Error: why\n/);
  assert.not.match(stderr, /\(bundle\)|__slipway|throw new/);
});

test("two compiles of the same input, in different folders, are the same bytes", async () => {
  const files = {
    "src/server.ts": `import { Hono } from "hono"; import text from "../data/a.txt"; export default new Hono().get("/", (c) => c.text(text + import.meta.url));`,
    "data/a.txt": "a",
    "data/b/c.bin": new Uint8Array([1, 2, 3]),
  };
  const outputs = [];
  for (const folder of [project(files), join(temporaryFolder(), "deeper")]) {
    if (!existsSync(folder)) {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(join(folder, path, ".."), { recursive: true });
        writeFileSync(join(folder, path), content);
      }
    }
    symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
    outputs.push(readFileSync(await compile(folder, "src/server.ts", "--include", join(folder, "data"))));
  }
  assert.ok(outputs[0].equals(outputs[1]));
  assert.not.ok(outputs[0].includes("slipway-test-"), "no path of this machine");
  assert.not.ok(outputs[0].includes(repository), "no path of this machine");
});

test("included files are read by every usual way, from the program's own folder structure", async () => {
  const folder = project({
    "src/server.ts": `import { readFileSync, createReadStream } from "node:fs"; import { readFile, stat } from "node:fs/promises";
const at = (path: string) => new URL(path, import.meta.url);
export default { async fetch(): Promise<Response> {
  const page = at("../public/page.html");
  let streamed = ""; for await (const chunk of createReadStream(page)) streamed += chunk;
  const names = []; for await (const { name } of Deno.readDir(at("../public"))) names.push(name);
  using file = await Deno.open(page); const buffer = new Uint8Array(3); await file.read(buffer);
  const missing = await Deno.readTextFile(at("../public/none")).catch((error) => error instanceof Deno.errors.NotFound);
  const outside = await Deno.readTextFile(at("../../../../etc/hostname")).then(() => "read", (error) => error.name);
  return Response.json([
    await Deno.readTextFile(page), new TextDecoder().decode(await Deno.readFile(page)), Deno.readTextFileSync(page), Deno.readFileSync(page).length,
    (await Deno.stat(page)).size, readFileSync(page, "utf8"), await readFile(page, "utf8"), (await stat(page)).isFile(), streamed,
    await (await fetch(page)).text(), names.sort(), new TextDecoder().decode(buffer), missing, import.meta.dirname,
  ]);
} };`,
    "public/page.html": "<p>",
    "public/deep/x": "x",
  });
  const output = await compile(folder, "src/server.ts", "--include", "public");
  const place = temporaryFolder();
  copyFileSync(output, join(place, "shop"));
  const started = start(bare(join(place, "shop"), "--port", "0"), { cwd: "/" });
  const [answer] = await ask(started, "/");
  await started.stop();
  const page = "<p>";
  assert.equal(JSON.parse(answer), [
    page,
    page,
    page,
    3,
    3,
    page,
    page,
    true,
    page,
    page,
    ["deep", "page.html"],
    page,
    true,
    "/@slipway/src",
  ]);
});

test("modules, packages and await at the top, in a program that was moved away from its folder", async () => {
  const folder = project({
    "main.tsx": `/** @jsxImportSource hono/jsx */\nimport { Hono } from "npm:hono@4"; import { H3 } from "npm:h3@2"; import { serve } from "slipway";
const late = await import("./late.ts"); const os = await import("node:os");
const gone = await import(String("left-pad")).catch((error) => error.code);
const h3 = new H3().get("/h3", () => "h3");
const app = new Hono().get("/", (c) => c.html(<i>{late.name}</i>)).get("/h3", (c) => h3.fetch(c.req.raw)).get("/more", (c) => c.json([typeof serve, typeof os.EOL, gone]));
export default app;`,
    "late.ts": `export const name = await Promise.resolve("late");`,
  });
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const started = start(bare(await compile(folder, "main.tsx"), "--port", "0"));
  assert.equal(await ask(started, "/", "/h3", "/more"), [
    "<i>late</i>",
    "h3",
    `["function","string","ERR_MODULE_NOT_FOUND"]`,
  ]);
  await started.stop();
});

test("a wrong source is told with file, line, column and code, and leaves no file", async () => {
  const folder = project({ "server.ts": `export default {\n  fetch( {\n};` });
  const result = await run(bare(slipway, "compile", "server.ts", "-o", "shop"), { cwd: folder });
  assert.is(result.code, 1);
  assert.match(result.stderr, /server\.ts:3:2: Expected "\)" but found ";"\n {2}3 \| \};\n/);
  assert.equal(readdirSync(folder), ["server.ts"]);
});

test("what stands in the way of the output is told in one line; an old executable is replaced while it runs", async () => {
  const folder = project({ "server.ts": server, "dir/x": "" });
  const say = async (...args: string[]) => {
    const { code, stderr } = await run(bare(slipway, "compile", "server.ts", ...args), { cwd: folder });
    assert.ok(code !== 0);
    assert.is(stderr.trim().split("\n").length, 1, stderr);
    return stderr;
  };
  assert.match(await say("-o", "dir"), /dir is a directory/);
  assert.match(await say("-o", "server.ts"), /server\.ts is the program itself/);
  assert.match(await say("-o", "/proc/shop"), /\/proc\/shop cannot be written \(/);
  assert.match(await say("-o", "none/shop"), /there is no directory none/);
  assert.match(await say("-o", "shop", "--include", "none"), /--include none: there is no such file or directory/);
  assert.match(
    await say("-o", "shop", "--target", "plan9-mips"),
    /--target: .plan9-mips.: there are linux-x64, linux-arm64/,
  );
  assert.equal(readdirSync(folder).sort(), ["dir", "server.ts"]);
  const output = await compile(folder, "server.ts", "--include", ".");
  const started = start(bare(output, "--port", "0"));
  await ask(started, "/1");
  const before = readFileSync(output);
  await compile(folder, "server.ts", "--include", ".");
  assert.ok(readFileSync(output).equals(before), "an earlier executable is not included in the next");
  assert.equal(await ask(started, "/2"), ["/2 "]);
  await started.stop();
  assert.is(statSync(output).mode & 0o777, 0o755);
});

test("an executable that was cut short or changed says so and does not start", async () => {
  const folder = project({ "server.ts": server });
  const output = await compile(folder, "server.ts");
  truncateSync(output, statSync(output).size - 10);
  const { code, stderr } = await run(bare(output));
  assert.is(code, 1);
  assert.match(stderr, /^\S+out\.bin: this executable is damaged \(its end is missing\); copy or compile it again\n$/);
});

test("the base alone says what it is", async () => {
  const { code, stderr } = await run(bare(join(repository, "dist/base")));
  assert.is(code, 1);
  assert.match(stderr, /only the base of executables/);
});

test("the licences of what is inside are up to date", async () => {
  const { code, stderr } = await run([process.execPath, join(repository, "scripts/licenses.ts"), "--check"]);
  assert.is(code, 0, stderr);
});

test.run();

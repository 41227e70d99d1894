// time limit: 120 s
// The programs in docs/1-handler.md run as they are printed.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fromSource, repository, start, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
writeFileSync(join(folder, "motd.txt"), "be kind\n");

const guide = readFileSync(join(repository, "docs/1-handler.md"), "utf8");
const programs = new Map(
  [...guide.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, code]) => [name, code]),
);

/** Starts one of them, as the guide says, and gives its port to the check. */
async function running(name: string, check: (port: number) => Promise<void>): Promise<void> {
  const path = join(folder, name);
  const code = programs.get(name);
  if (code === undefined) throw new Error(`docs/1-handler.md has no ${name}`);
  writeFileSync(path, code);
  programs.delete(name);
  const started = start([...fromSource, "run", path, "--port", "0"]);
  const [, port] = await started.saw(/^Listening on \S*?:(\d+)/m);
  await check(Number(port));
  await started.stop();
}
const text = async (url: string, init?: RequestInit) => (await fetch(url, init)).text();

const test = suite("docs/1-handler.md");
test("hello.ts", () =>
  running("hello.ts", async (port) => {
    assert.is(await text(`http://127.0.0.1:${port}/there`), "Hello from /there\n");
  }));
test("notes.ts", () =>
  running("notes.ts", async (port) => {
    const url = `http://127.0.0.1:${port}/one`;
    assert.is(await text(url), "no such note\n");
    assert.is((await fetch(url, { method: "PUT", body: "kept" })).status, 204);
    assert.is(await text(url), "kept");
    assert.is((await fetch(url, { method: "DELETE" })).headers.get("allow"), "GET, PUT");
  }));
test("clock.ts", () =>
  running("clock.ts", async (port) => {
    const { body } = await fetch(`http://127.0.0.1:${port}/`);
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader?.read())?.value ?? "", /^data: \d{4}-/);
    await reader?.cancel();
  }));
test("download.ts", () =>
  running("download.ts", async (port) => {
    const response = await fetch(`http://127.0.0.1:${port}/self`);
    const self = readFileSync(join(folder, "download.ts"), "utf8");
    assert.is(response.headers.get("content-length"), String(self.length));
    assert.is(await response.text(), self);
    assert.is((await fetch(`http://127.0.0.1:${port}/other`)).status, 404);
  }));
test("beside.ts", () =>
  running("beside.ts", async (port) => {
    const body = new Uint8Array(2 ** 20 + 1);
    const send = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body });
    assert.is(await (await send("/upload")).text(), "1048577 bytes\n");
    const refused = await send("/");
    assert.is(refused.status, 413);
    await refused.text();
  }));
test("shout.ts", () =>
  running("shout.ts", async (port) => {
    const heard = await new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("data", (chunk) => resolve(String(chunk))).on("error", reject);
      socket.end("hear me");
    });
    assert.is(heard, "HEAR ME");
  }));
test("app.ts", () =>
  running("app.ts", async (port) => {
    assert.is(await text(`http://127.0.0.1:${port}/`), "Hono on Slipway");
    assert.is(await text(`http://127.0.0.1:${port}/users/7`), '{"id":"7"}');
  }));
test("deno.ts", () =>
  running("deno.ts", async (port) => {
    assert.match(await text(`http://127.0.0.1:${port}/`), /"from":\{"transport":"tcp"/);
    assert.is(await text(`http://127.0.0.1:${port}/motd`), "be kind\n");
  }));
test("that was all of them", () => {
  assert.equal([...programs.keys()], []);
});
test.run();

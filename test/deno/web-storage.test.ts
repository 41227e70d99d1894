// time limit: 240 s
// Storages, caches and event streams: one program gives the same lines under Deno, under `slipway run` and compiled.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cacheSettings, cacheStorage } from "../../src/deno/cache.ts";
import { install } from "../../src/fetch/mod.ts";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";
import { project } from "../support/project.ts";
import { skip } from "../support/skip.ts";

install();
const program = join(repository, "test/deno/programs/web-storage.ts");
const folder = temporaryFolder();
const env = { NO_COLOR: "1", DENO_DIR: folder };

const same = suite("storages, caches and event streams");
if (denoProgram === undefined) skip(same, "are as under Deno", noDeno);
else {
  same("are as under Deno, run and compiled", async () => {
    const slipway = await slipwayBinary();
    const compiled = join(folder, "program");
    const made = await run([slipway, "compile", program, "-o", compiled]);
    assert.is(made.code, 0, made.stderr);
    const deno = await run([denoProgram ?? "", "run", "-A", "--no-config", "--no-check", program], { env });
    assert.is(deno.code, 0, deno.stderr);
    for (const command of [[slipway, "run", program], [compiled]]) {
      const { code, stdout, stderr } = await run(command, { env });
      assert.is(stdout, deno.stdout, stderr);
      assert.is(code, 0, stderr);
      assert.match(stderr, "localStorage is kept in memory: what is written to it is gone when this process ends");
      assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
    }
  });
}
same("Hono's cache middleware works with it", async () => {
  const slipway = await slipwayBinary();
  const hono = join(repository, "node_modules/hono/dist");
  const place = project({
    "server.ts": `import { Hono } from "${hono}/index.js";
import { cache } from "${hono}/middleware/cache/index.js";
let made = 0;
const app = new Hono();
app.get("*", cache({ cacheName: "pages", cacheControl: "max-age=60", wait: true }));
app.get("/page", (c) => c.text(\`made \${++made}\`));
for (const path of ["/page", "/page", "/page?other"]) {
  const response = await app.request("http://localhost" + path);
  console.log(await response.text(), response.headers.get("cache-control"));
}`,
  });
  const { stdout, stderr } = await run([slipway, "run", join(place, "server.ts")], { env });
  assert.is(stdout, "made 1 max-age=60\nmade 1 max-age=60\nmade 2 max-age=60\n", stderr);
});
same.run();

const bound = suite("the bound of caches");
bound.after.each(() => {
  cacheSettings.maxBytes = 64 << 20;
});
const body = (bytes: number) => new Response(new Uint8Array(bytes));
const at = (name: string) => `https://example.com/${name}`;
bound("what was used least recently goes first, in whichever cache it is", async () => {
  cacheSettings.maxBytes = 3_500;
  const caches = cacheStorage();
  const [one, two] = [await caches.open("one"), await caches.open("two")];
  await one.put(at("a"), body(1_000));
  await two.put(at("b"), body(1_000));
  await one.put(at("c"), body(1_000));
  assert.ok(await one.match(at("a")));
  await two.put(at("d"), body(1_000));
  assert.is(await two.match(at("b")), undefined);
  assert.ok((await one.match(at("a"))) && (await one.match(at("c"))) && (await two.match(at("d"))));
  // The same again takes the place of the former.
  await two.put(at("d"), body(1_200));
  assert.ok(await one.match(at("a")));
  await caches.delete("one");
  await caches.delete("two");
});
bound("of a response that is larger than all of it no more is read, and nothing goes for it", async () => {
  cacheSettings.maxBytes = 2_000;
  const caches = cacheStorage();
  const cache = await caches.open("large");
  await cache.put(at("small"), body(100));
  let pulled = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(1_000));
    },
    cancel() {
      cancelled = true;
    },
  });
  await cache.put(at("endless"), new Response(endless));
  assert.ok(pulled < 10 && cancelled);
  assert.is(await cache.match(at("endless")), undefined);
  assert.ok(await cache.match(at("small")));
  await caches.delete("large");
});
bound.run();

// time limit: 300 s
/**
 * Executables of all systems, out of the real pack: `npm run build:targets` makes it, and without it nothing here runs.
 * What of them is executed where, docs/targets.md says.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openPayload } from "../../src/bundle/executable.ts";
import { TARGETS } from "../../src/bundle/targets.ts";
import { slipwayBinary } from "../support/binary.ts";
import { checkSignature } from "../support/macho-signature.ts";
import { repository, run } from "../support/process.ts";
import { project } from "../support/project.ts";
import { skip } from "../support/skip.ts";

const test = suite("compile --target");
const folder = project({
  "server.ts": `const page = new URL("./public/page.html", import.meta.url);
    export default { fetch: async () => new Response(await Deno.readTextFile(page)) };`,
  "public/page.html": "<h1>page</h1>",
  "native.ts": `import "./addon.node"; export default { fetch: () => new Response("") };`,
  "addon.node": "",
});
const binary = await slipwayBinary();
const pack = join(repository, "dist/slipway-targets.pack");
const digest = (name: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, name)))
    .digest("hex");
const compile = (...args: string[]) => run([binary, "compile", ...args], { cwd: folder, timeoutSeconds: 200 });

test("without a pack: a list that says what is missing, and one sentence", async () => {
  const env = { ...process.env, SLIPWAY_TARGETS: join(folder, "none.pack") };
  const list = await run([binary, "compile", "--target", "list"], { cwd: folder, env });
  assert.match(list.stdout, /^linux-x64 +in this slipway\nlinux-arm64 +missing\n/);
  assert.match(list.stdout, /There is no .*none\.pack\nFor what is missing: put the slipway-targets\.pack of slipway /);
  const { code, stderr } = await run([binary, "compile", "server.ts", "--target", "win-x64"], { cwd: folder, env });
  assert.is(code, 1);
  assert.match(stderr, /^slipway: there is no base for win-x64 here, .*none\.pack is missing: put the /);
});

test("a native addon is refused, whatever the target", async () => {
  const { code, stderr } = await compile("native.ts", "--target", "linux-x64");
  assert.is(code, 1);
  assert.match(stderr, /addon\.node is a native addon, which cannot be part of a program/);
});

const usable = existsSync(pack) && !/another build/.test((await compile("--target", "list")).stderr);
const all = "all five, twice the same bytes: each holds its payload, and what its system checks holds";
if (!usable) skip(test, all, "there is no dist/slipway-targets.pack of this build: npm run build:targets");
else {
  test(all, async () => {
    assert.ok(statSync(pack).size <= 100e6);
    const args = ["server.ts", "-o", "shop", "--include", "public", "--target", "all"];
    const first = await compile(...args);
    assert.is(first.code, 0, first.stderr);
    const names = TARGETS.map(({ name, suffix }) => `shop-${name}${suffix}`);
    assert.equal(
      first.stdout.split("\n").map((line) => line.split(" ")[0]),
      [...names, ""],
    );
    const before = names.map(digest);
    assert.is((await compile(...args)).code, 0);
    assert.equal(names.map(digest), before);
    for (const [index, { name, format, arch }] of TARGETS.entries()) {
      const path = join(folder, names[index]);
      const payload = openPayload(path);
      assert.equal(payload?.names(), ["code", "map", "file:public/page.html"], name);
      payload?.close();
      if (format === "macho") {
        const { problems, identifier, pages } = checkSignature(readFileSync(path));
        assert.equal(problems, [], name);
        assert.is(identifier, names[index]);
        assert.ok(pages > 20_000);
        if (spawnSync("llvm-objdump", ["--version"]).error === undefined) {
          const told = execFileSync("llvm-objdump", ["--macho", "--private-header", path], { encoding: "utf8" });
          assert.match(told, arch === "arm64" ? /ARM64/ : /X86_64/);
        }
      }
    }
  });
}

test.run();

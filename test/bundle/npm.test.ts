/** Slipway as an npm package: packed from a clean clone, as a person would, and installed elsewhere. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { publint } from "publint";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { repository, run, start, temporaryFolder } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("npm package");
const folder = project({
  "server.ts": `export default { fetch: () => new Response("from npm") };`,
  "library.mjs": `import { serve } from "slipway"; import { listen } from "slipway/net"; import { Headers } from "slipway/fetch";
    const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("as a library"));
    console.log(await (await fetch("http://127.0.0.1:" + server.addr.port)).text(), typeof listen, new Headers({ a: "1" }).get("A"));
    await server.shutdown();`,
  "types.ts": `import { serve } from "slipway"; import { listen } from "slipway/net";
    export const server: { shutdown(): Promise<void> } = serve({ port: 0 }, (request) => new Response(request.url)); export { listen };`,
});
const launcher = join(folder, "node_modules/slipway/src/cli/launcher.cjs");

/** Everything that git tracks, as a clone has it, and nothing that a build left. */
async function clone(): Promise<string> {
  const copy = temporaryFolder();
  const { stdout } = await run(["git", "ls-files", "-co", "--exclude-standard"], { cwd: repository });
  for (const path of stdout.split("\n").filter((path) => path !== "" && existsSync(join(repository, path)))) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    copyFileSync(join(repository, path), join(copy, path));
  }
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"));
  return copy;
}

test.before(async () => {
  const copy = await clone();
  const packed = await run(["npm", "pack", "--pack-destination", folder], { cwd: copy, timeoutSeconds: 100 });
  assert.is(packed.code, 0, packed.stdout + packed.stderr);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  assert.is((await run(["tar", "xzf", tarball], { cwd: folder })).code, 0);
  mkdirSync(join(folder, "node_modules"));
  renameSync(join(folder, "package"), join(folder, "node_modules/slipway"));
  // What npm would fetch beside it.
  for (const name of readdirSync(join(repository, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(repository, "node_modules", name), join(folder, "node_modules", name));
  }
});

test("npm runs prepack here, and whoever tells it not to has npm run pack", async () => {
  const { stdout } = await run(["npm", "config", "get", "ignore-scripts"], { cwd: repository });
  assert.is(stdout.trim(), "false");
  const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  assert.match(scripts.pack, /^npm run build:npm && npm pack --ignore-scripts$/);
});

test("npm's scripts run under the pinned Node without node_modules/.bin/node, which npm 10 does not make", () => {
  const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const [name, command] of Object.entries(scripts)) {
    if (/\bnode\b/.test(command)) assert.match(command, /^(exec )?node scripts\/node\.cjs /, name);
  }
});

test("a package that was packed without its build says so", async () => {
  const empty = project({});
  for (const name of ["launcher.cjs", "pinned-node.cjs"]) {
    copyFileSync(join(repository, "src/cli", name), join(empty, name));
  }
  symlinkSync(join(repository, "node_modules"), join(empty, "node_modules"));
  const { code, stderr } = await run([process.execPath, join(empty, "launcher.cjs"), "--version"]);
  assert.is(code, 1);
  assert.is(stderr, "slipway: this package was packed without its build: pack it with npm run pack\n");
});

test("publint has nothing to say of it", async () => {
  const { messages } = await publint({ pkgDir: join(folder, "node_modules/slipway"), pack: false });
  assert.equal(messages, []);
});

test("its sources are plain JavaScript", () => {
  const found = readdirSync(join(folder, "node_modules/slipway/dist/npm"), { recursive: true, encoding: "utf8" });
  assert.equal(
    found.filter((path) => !path.startsWith("templates/") && /(?<!\.d)\.ts$/.test(path)),
    [],
  );
  assert.ok(found.includes("src/mod.js") && found.includes("src/mod.d.ts"));
});

test("npx slipway: version, run, new, compile", async () => {
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  assert.is((await run([process.execPath, launcher, "version"])).stdout, `slipway ${version}\n`);
  const started = start([process.execPath, launcher, "run", "server.ts", "--port", "0"], { cwd: folder });
  const [, port] = await started.saw(/Listening on http:\/\/\S*:(\d+)/);
  assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "from npm");
  // The launcher became the server: a signal to it reaches the server, which ends as it should.
  assert.is((await started.stop()).code, 0);
  const made = await run([process.execPath, launcher, "new", "shop"], { cwd: folder });
  assert.is(made.code, 0, made.stderr);
  assert.ok(readdirSync(join(folder, "shop")).includes(".gitignore"));
  const compiled = await run([process.execPath, launcher, "compile", "server.ts", "-o", "server"], { cwd: folder });
  assert.is(compiled.code, 0, compiled.stderr);
  const server = start(["/usr/bin/env", "-i", join(folder, "server"), "--port", "0"]);
  const [, its] = await server.saw(/Listening on http:\/\/\S*:(\d+)/);
  assert.is(await (await fetch(`http://127.0.0.1:${its}/`)).text(), "from npm");
  await server.stop();
});

test("import from slipway works, with types", async () => {
  const { stdout, stderr } = await run([process.execPath, "library.mjs"], { cwd: folder });
  assert.is(stdout, "as a library function 1\n", stderr);
  const tsc = [process.execPath, join(repository, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict"];
  // Strictly, libraries' types too; with the lib that a target has by itself, in which there is no Disposable.
  // Without Node's types where little else is, and with them where most is.
  for (const flags of [
    ["--target", "es2022"],
    ["--target", "esnext", "--types", "node"],
  ]) {
    const all = ["--module", "nodenext", "--skipLibCheck", "false", ...flags];
    const checked = await run([...tsc, ...all, "types.ts"], { cwd: folder });
    assert.is(checked.code, 0, checked.stdout);
  }
});

test("a Node that is too old for the library is told which one it needs", async () => {
  // As Node 20 is: without Promise.withResolvers.
  const older = `delete Promise.withResolvers; await import("slipway").catch((error) => console.log(error.message));`;
  const { stdout, stderr } = await run([process.execPath, "--input-type=module", "--eval", older], { cwd: folder });
  assert.match(stdout, /^import "slipway" needs Node 22\.3 or newer, and this is v[\d.]+; /, stderr);
});

test.run();

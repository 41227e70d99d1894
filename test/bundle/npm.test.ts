/** Slipway as an npm package: what `npm pack` would put into it, installed elsewhere. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { repository, run, start } from "../support/process.ts";
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

test.before(async () => {
  const built = await run([process.execPath, join(repository, "scripts/build-npm.ts")]);
  assert.is(built.code, 0, built.stdout + built.stderr);
  const { files, bin } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const installed = join(folder, "node_modules/slipway");
  mkdirSync(installed, { recursive: true });
  for (const file of ["package.json", bin.slipway, ...files]) {
    cpSync(join(repository, file), join(installed, file), { recursive: true });
  }
  for (const name of readdirSync(join(repository, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(repository, "node_modules", name), join(folder, "node_modules", name));
  }
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
  const flags = ["--module", "nodenext", "--target", "esnext", "--skipLibCheck", "--types", "node", "types.ts"];
  const checked = await run([...tsc, ...flags], { cwd: folder });
  assert.is(checked.code, 0, checked.stdout);
});

test.run();

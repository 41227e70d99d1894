// time limit: 120 s
// Frameworks that a program starts itself: Deno.serve with Hono's fetch, and h3's own serve, which uses node:http.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));

const programs = {
  "Hono by Deno.serve": `
    import { Hono } from "hono";
    const app = new Hono();
    app.get("/", (c) => c.text("answered"));
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log("port", port) }, app.fetch);`,
  "h3 by its own serve": `
    import { H3, serve } from "h3";
    const server = serve(new H3().get("/", () => "answered"), { port: 0, hostname: "127.0.0.1", silent: true });
    await server.ready();
    console.log("port", new URL(server.url).port);`,
};

const test = suite("frameworks that a program starts");
for (const [name, code] of Object.entries(programs)) {
  test(name, async () => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.ts`);
    writeFileSync(path, code);
    const made = await run([await slipwayBinary(), "compile", path, "-o", `${path}.bin`]);
    assert.is(made.code, 0, made.stderr);
    for (const command of [[...fromSource, "run", path], [`${path}.bin`]]) {
      const started = start(command);
      const [, port] = await started.saw(/^port (\d+)$/m);
      assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "answered");
      await started.stop();
    }
  });
}
test.run();

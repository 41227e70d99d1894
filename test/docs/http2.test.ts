// docs/http2.md: its commands give what it prints.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../scripts/soak/port.ts";
import { MAX_STREAMS } from "../../src/http2/limits.ts";
import { fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const page = readFileSync(join(repository, "docs/http2.md"), "utf8");
const test = suite("docs/http2.md");

test("how many streams", () => {
  assert.ok(page.includes(`Up to ${MAX_STREAMS} streams`));
  assert.ok(page.includes(`| streams at once | ${MAX_STREAMS} |`));
});

const curl = (() => {
  try {
    return execFileSync("curl", ["--version"], { encoding: "utf8" });
  } catch {
    return "";
  }
})();
const title = "the commands, as written";
if (!curl.includes("HTTP2")) skip(test, title, "there is no curl that speaks HTTP/2");
else
  test(title, async () => {
    const folder = temporaryFolder();
    const port = await freePort();
    writeFileSync(join(folder, "slipway"), `#!/bin/sh\nexec ${fromSource.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(join(folder, "slipway"), 0o755);
    writeFileSync(join(folder, "server.ts"), 'export default { fetch: () => new Response("hello\\n") };\n');
    const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, SLIPWAY_PORT: String(port) };
    const block = /^```console\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
    const [first, ...others] = block
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const [command, ...output] = step.trimEnd().replaceAll("8000", String(port)).split("\n");
        return { command, output: output.join("\n") };
      });
    assert.is(others.length, 2);
    const server = start(["bash", "-c", `exec ${first.command.slice(0, -1)}`], { cwd: folder, env });
    await server.saw(new RegExp(first.output.replaceAll(/[/.]/g, "\\$&")));
    for (const { command, output } of others) {
      const { code, stdout, stderr } = await run(["bash", "-ec", command], { cwd: folder, env });
      assert.is(code, 0, `${command}\n${stderr}`);
      assert.is(stdout.trimEnd(), output, command);
    }
    await server.stop();
  });

test.run();

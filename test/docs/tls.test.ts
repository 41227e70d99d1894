// docs/tls.md: its commands give what it prints, and its flags exist.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../scripts/soak/port.ts";
import { flagOf, optionTable } from "../../src/options/table.ts";
import { fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const page = readFileSync(join(repository, "docs/tls.md"), "utf8");
const test = suite("docs/tls.md");

test("its flags are options", () => {
  const flags = new Set(optionTable.map((option) => `--${flagOf(option)}`));
  const named = [...page.matchAll(/--tls-[a-z-]+/g)].map(([flag]) => flag);
  assert.ok(named.length >= 5);
  for (const flag of named) assert.ok(flags.has(flag), flag);
});

const missing = ["openssl", "curl"].filter((name) => {
  try {
    execFileSync(name, [name === "curl" ? "--version" : "version"], { stdio: "ignore" });
    return false;
  } catch {
    return true;
  }
});
const title = "the commands, as written";
if (missing.length > 0) skip(test, title, `there is no ${missing.join(" and no ")}`);
else
  test(title, async () => {
    const folder = temporaryFolder();
    const port = await freePort();
    writeFileSync(join(folder, "slipway"), `#!/bin/sh\nexec ${fromSource.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(join(folder, "slipway"), 0o755);
    writeFileSync(join(folder, "server.ts"), 'export default { fetch: () => new Response("hello\\n") };\n');
    const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, SLIPWAY_PORT: String(port) };
    const block = /^## Certificates$[\s\S]*?^```console\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
    const steps = block
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const [command, ...output] = step.trimEnd().replaceAll("8000", String(port)).split("\n");
        return { command, output: output.join("\n") };
      });
    assert.is(steps.length, 4);
    let server: ReturnType<typeof start> | undefined;
    for (const { command, output } of steps) {
      if (command.endsWith("&")) {
        server = start(["bash", "-c", `exec ${command.slice(0, -1)}`], { cwd: folder, env });
        await server.saw(new RegExp(output.replaceAll(/[/.]/g, "\\$&")));
        continue;
      }
      const { code, stdout, stderr } = await run(["bash", "-ec", command], { cwd: folder, env });
      assert.is(code, 0, `${command}\n${stderr}`);
      assert.is(stdout.trimEnd(), output, command);
    }
    await server?.stop();
  });

test.run();

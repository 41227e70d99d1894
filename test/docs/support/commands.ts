/** The first console block of a page, run as written beside the first program of it: each command gives what is printed. */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../../scripts/soak/port.ts";
import { fromSource, run, start, temporaryFolder } from "../../support/process.ts";
import { skip } from "../../support/skip.ts";

/** `behind`: a port of the page that another server listens on, which is started first. */
export function commandsOf(
  test: Test,
  page: string,
  program: string,
  tools: readonly string[],
  behind = "no other port",
): void {
  const missing = tools.filter((name) => {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
  const title = "the commands, as written";
  if (missing.length > 0) return skip(test, title, `there is no ${missing.join(" and no ")}`);
  test(title, async () => {
    const folder = temporaryFolder();
    const port = await freePort();
    const other = await freePort();
    const here = (text: string): string => text.replaceAll("8000", String(port)).replaceAll(behind, String(other));
    writeFileSync(join(folder, "slipway"), `#!/bin/sh\nexec ${fromSource.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(join(folder, "slipway"), 0o755);
    writeFileSync(join(folder, program), here(/^```ts\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ""));
    const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, SLIPWAY_PORT: String(port) };
    const block = /^```console\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
    const servers: ReturnType<typeof start>[] = [];
    for (const step of block.split(/^\$ /m).slice(1)) {
      const [command, ...lines] = here(step.trimEnd()).split("\n");
      const output = lines.join("\n");
      if (command.endsWith("&")) {
        const server = start(["bash", "-c", `exec ${command.slice(0, -1)}`], { cwd: folder, env });
        servers.push(server);
        if (output === "") await accepts(other);
        else await server.saw(new RegExp(output.replaceAll(/[/.]/g, "\\$&")));
        continue;
      }
      const { code, stdout, stderr } = await run(["bash", "-ec", command], { cwd: folder, env });
      assert.is(code, 0, `${command}\n${stderr}`);
      assert.is(stdout.trimEnd(), output, command);
    }
    for (const server of servers) await server.stop();
  });
}

/** Waits for a server that says nothing. */
async function accepts(port: number): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nobody listens on port ${port}`);
}

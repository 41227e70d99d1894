/**
 * kqueue's backend on the C libraries of macOS and FreeBSD, played on epoll (test/support/kqueue): what differs there. Each
 * system has a process of its own, which runs test/ffi/kqueue-on.ts; the lists that all pollers share run so as well, with
 * `npm test -- --kqueue`.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { playing, SYSTEMS } from "../support/kqueue/systems.ts";

const test = suite("kqueue");
const program = fileURLToPath(new URL("kqueue-on.ts", import.meta.url));

for (const system of SYSTEMS) {
  test(`as ${system} has it`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
      env: { ...process.env, ...playing(system) },
      encoding: "utf8",
    });
    assert.is(status, 0, `${stdout}${stderr}`);
    console.log(/Total:\s+\d+/.exec(stdout)?.[0]);
  });
}

test.run();

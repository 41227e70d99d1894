// Chunks that die young are freed by collections of the young generation, and the collector is nobody else's.
import { execFileSync } from "node:child_process";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { runInNewContext } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { madeGarbage } from "../../src/runtime/young-garbage.ts";

const CHUNK = 64 * 1024;
const MADE = 256 * 1024 * 1024;

test("each 8 MiB of what is made and dropped, the young generation is collected", async () => {
  let young = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // Of Node's entries only; lib.dom's have none.
      const { detail } = entry as unknown as { detail: { kind: number } };
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) young++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  let kept: Uint8Array | undefined;
  for (let made = 0; made < MADE; made += CHUNK) {
    kept = new Uint8Array(CHUNK);
    madeGarbage(CHUNK);
    if (made % (1 << 20) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < 1000 && young < 28; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  observer.disconnect();
  assert.is(kept?.length, CHUNK);
  assert.ok(young >= 28, `${young} collections`);
});

test("programs find no gc that they did not ask for", () => {
  assert.is(typeof globalThis.gc, "undefined");
  assert.is(runInNewContext("typeof gc"), "undefined");
});

test("those that were started with it keep it, whatever context comes later", () => {
  const program = `
    import { runInNewContext } from "node:vm";
    import { madeGarbage } from ${JSON.stringify(new URL("../../src/runtime/young-garbage.ts", import.meta.url))};
    madeGarbage(1 << 30);
    // Behind the one that collects.
    setImmediate(() => console.log(runInNewContext("typeof gc")));
  `;
  const { execPath } = process;
  assert.is(String(execFileSync(execPath, ["--expose-gc", "--input-type=module", "-e", program])), "function\n");
  assert.is(String(execFileSync(execPath, ["--input-type=module", "-e", program])), "undefined\n");
});

test.run();

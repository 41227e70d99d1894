// What templates carry of others is what package.json pins, as scripts/vendor-hono.ts makes it.
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { repository, run } from "../support/process.ts";

test("templates/api/vendor/hono.js is Hono as it is pinned", async () => {
  const script = join(repository, "scripts/vendor-hono.ts");
  const { code, stderr } = await run([process.execPath, script, "--check"], { cwd: repository });
  assert.is(code, 0, stderr);
});

test.run();

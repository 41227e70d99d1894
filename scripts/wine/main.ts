/**
 * Slipway's sources under Node's own Windows executable, in Wine.
 *
 *   npm run test:wine [-- filter …]                    the tests that stand on the poller, or those that a filter names
 *   node scripts/wine/main.ts run server.ts …          a program; its output goes to a file first, and is shown at its end
 *
 * Wine is no Windows. What passes here is right in our own code; whether Windows does as Wine says is another matter. And
 * it is slow where Windows is not: times mean nothing.
 */
import type { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inRoot, nodeCommand, setUp } from "./root.ts";

const [verb, ...args] = process.argv.slice(2);
if (verb !== "test" && verb !== "run") {
  console.error("usage: node scripts/wine/main.ts test [filter …] | run file.ts [argument …]");
  process.exit(2);
}
const refused = setUp();
if (refused !== undefined) {
  console.log(`SKIP Windows under Wine: ${refused}`);
  process.exit(0);
}
try {
  if (verb === "test") {
    inRoot([process.execPath, join(import.meta.dirname, "tests.ts"), ...args], "inherit");
  } else {
    const folder = mkdtempSync(join(tmpdir(), "slipway-wine-out-"));
    const file = join(folder, "output");
    const output = openSync(file, "w");
    try {
      inRoot(nodeCommand(args), ["ignore", output, output]);
    } finally {
      closeSync(output);
      process.stdout.write(readFileSync(file));
      rmSync(folder, { recursive: true });
    }
  }
} catch (error) {
  process.exit((error as ReturnType<typeof spawnSync>).status ?? 1);
}

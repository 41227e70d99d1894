/**
 * dist/slipway for tests: built when it is missing or older than its sources, once, however many test files ask at
 * the same time.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isFresh } from "../../scripts/build.ts";
import { repository, run } from "./process.ts";

const LOCK = join(repository, "dist", ".building");

/** The path of a `slipway` made of the present sources. */
export async function slipwayBinary(): Promise<string> {
  mkdirSync(join(repository, "dist"), { recursive: true });
  while (!isFresh()) {
    if (!lock()) {
      await pause(200);
      continue;
    }
    try {
      const build = await run([process.execPath, join(repository, "scripts/build.ts")], { timeoutSeconds: 110 });
      if (build.code !== 0) throw new Error(`npm run build failed:\n${build.stdout}${build.stderr}`);
      break;
    } finally {
      rmSync(LOCK, { force: true });
    }
  }
  return join(repository, "dist", "slipway");
}

/** Creating the file succeeds for one process only; one that died without removing it counts no more. */
function lock(): boolean {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    try {
      const owner = Number(readFileSync(LOCK, "utf8"));
      if (owner > 0) process.kill(owner, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") rmSync(LOCK, { force: true });
    }
    return false;
  }
}

/**
 * dist/slipway for tests: built when it is missing or older than its sources, once, however many test files ask at
 * the same time.
 */
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isFresh } from "../../scripts/build.ts";
import { repository, run } from "./process.ts";

const LOCK = join(repository, "dist", ".building");
/** A build takes 10 s; a lock that is older than this was left by a test run that was killed. */
const ABANDONED_MS = 150_000;

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
      rmdirSync(LOCK);
    }
  }
  return join(repository, "dist", "slipway");
}

/** mkdir(2) succeeds for one process only. */
function lock(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    const since = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Date.now() - since > ABANDONED_MS) rmdirSync(LOCK);
    return false;
  }
}

/**
 * The contract test by hand: `npm run contract -- --poller uring --programs 10000 --seed 7`. It prints the seed, and when a
 * program breaks the contract, the smallest that does. `kqueue-darwin` is kqueue on a played kernel, in a process of its own.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { playing, SYSTEMS } from "../../support/kqueue/systems.ts";
import { check, report } from "./check.ts";
import { subject, subjectNames } from "./subjects.ts";

const { values } = parseArgs({
  options: {
    poller: { type: "string", multiple: true, default: [...subjectNames] }, // and those that are played,
    programs: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});
const programs = Number(values.programs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(programs) || !Number.isSafeInteger(seed)) {
  console.error("--programs and --seed are whole numbers");
  process.exit(2);
}
for (const name of values.poller) {
  const played = SYSTEMS.find((system) => name === `kqueue-${system}`);
  if (played !== undefined) {
    const again = [
      fileURLToPath(import.meta.url),
      "--poller",
      "kqueue",
      "--programs",
      `${programs}`,
      "--seed",
      `${seed}`,
    ];
    const { status } = spawnSync(process.execPath, again, {
      env: { ...process.env, ...playing(played) },
      stdio: "inherit",
    });
    if (status !== 0) process.exit(1);
    continue;
  }
  const one = subject(name);
  console.log(`${name}: ${programs} programs, --seed ${seed}`);
  const began = performance.now();
  const found = check(one, seed, programs);
  if (found !== undefined) {
    console.error(report(one, found));
    process.exit(1);
  }
  console.log(`${name}: all pass, ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

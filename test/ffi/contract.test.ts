// time limit: 300 s
/**
 * Each poller of this machine, and kqueue on played ones, meets its contract (`contract/`): programs that broke it once, and random ones.
 * SLIPWAY_RUNS (200) says how many, SLIPWAY_SEED which. `npm run contract` runs thousands.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SYSTEMS } from "../support/kqueue/systems.ts";
import { skip } from "../support/skip.ts";
import { check, checkOne, report } from "./contract/check.ts";
import { known } from "./contract/known.ts";
import { shrink } from "./contract/shrink.ts";
import { refusedHere, subject, subjectNames } from "./contract/subjects.ts";

const test = suite("contract");
const program = fileURLToPath(new URL("contract/run.ts", import.meta.url));
const runs = Number(process.env["SLIPWAY_RUNS"] ?? 200);
// Always the same: what new ones find belongs to whoever looks for it.
const seed = Number(process.env["SLIPWAY_SEED"] ?? 1);

for (const name of subjectNames) {
  const refused = refusedHere(name);
  const one = (title: string, run: () => void): void =>
    refused === "" ? void test(`[${name}] ${title}`, run) : skip(test, `[${name}] ${title}`, refused);
  one("programs that broke it once", () => {
    const on = subject(name);
    for (const [what, program] of known) assert.is(checkOne(on, program), undefined, what);
  });
  one(`${runs} random programs from seed ${seed}`, () => {
    const on = subject(name);
    const found = check(on, seed, runs);
    if (found !== undefined) assert.unreachable(report(on, found));
  });
}

for (const system of SYSTEMS) {
  test(`[kqueue-${system}] ${runs >> 1} random programs from seed ${seed}`, () => {
    const args = [program, "--poller", `kqueue-${system}`, "--programs", `${runs >> 1}`, "--seed", `${seed}`];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.is(status, 0, `${stdout}${stderr}`);
  });
}

test("a program that fails is made small", () => {
  const poll = { do: "poll" } as const;
  const ops = [poll, poll, { do: "wake" }, poll, { do: "send", to: "a0", way: "send", bytes: 300_000 }, poll] as const;
  const smallest = shrink({ parked: "poll", ops }, ({ ops }) => {
    const sends = ops.some((op) => op.do === "send" && op.bytes >= 1000);
    return sends && ops.some((op) => op.do === "wake") ? "fails" : undefined;
  });
  assert.equal(smallest?.program.ops, [{ do: "wake" }, { do: "send", to: "a0", way: "send", bytes: 1000 }]);
});

test.run();

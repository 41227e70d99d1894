/**
 * HTTP's mixture of requests (test/http/support/mixture.ts) on io_uring under pressure: many small faults that pass, and
 * then some that break connections. SLIPWAY_SEED repeats a run, but not the kernel's timing.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { taskCount } from "../../../src/runtime/tasks.ts";
import { mixture } from "../../http/support/mixture.ts";
import { chooseSeed, Random } from "../../http/support/random.ts";
import { descriptors, until } from "../../net/pair.ts";
import { logged } from "../../support/logged.ts";
import { skip } from "../../support/skip.ts";
import { type Faults, faultySystem, runOn } from "../faulty-system.ts";
import { randomRing } from "../ring-faults.ts";
import { faultsRefused } from "./support.ts";

const test = suite("mixture [uring]");
const seed = chooseSeed();
console.log(`seed ${seed}`);

const passing: Faults = {
  accept: { rate: 0.2, kinds: ["EINTR", "EAGAIN", "ECONNABORTED"] },
  send: { rate: 0.2, kinds: ["EINTR", "EAGAIN", "short"] },
  close: { rate: 0.1, kinds: ["EINTR"] },
};

for (const [name, breaking, least] of [
  ["faults that pass: the same answers", 0, 1200],
  ["and some that break: what had been answered is right, nothing stays", 0.01, 60],
] as const) {
  if (faultsRefused !== "") skip(test, name, faultsRefused);
  else
    test(name, async () => {
      const random = new Random(seed);
      const before = { descriptors: descriptors(), tasks: taskCount() };
      const { system } = faultySystem(() => random.next(), passing);
      const { ring, had } = randomRing(() => random.next(), 0.1, breaking);
      const { runtime, restore } = runOn(system, "uring", ring);
      try {
        const lines = await logged(async () => {
          const { answered } = await mixture(new Random(seed), 60, breaking > 0);
          assert.ok(breaking > 0 ? answered > least && answered < 1200 : answered === least, `${answered} answered`);
        });
        assert.equal(lines, []);
        await until(() => runtime.poller.openCount === 0, "every handle is closed");
      } finally {
        restore();
        runtime.dispose();
      }
      assert.ok(had.size > 8, [...had.keys()].join());
      await until(() => descriptors() <= before.descriptors, "no descriptor is left");
      assert.is(taskCount(), before.tasks);
    });
}

test.run();

// The parts that need no thread: how many `auto` is, the ring, the table of owners, sums of metrics.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Family } from "../../src/admin/metrics/family.ts";
import { cpuQuota, threadCount } from "../../src/parallel/count.ts";
import { Holdings } from "../../src/parallel/holdings.ts";
import { lasting, merged, mergedTasks, samplesOf } from "../../src/parallel/merge.ts";
import { HEAD, Owners, RING, Shared, TAIL } from "../../src/parallel/shared.ts";

/** A system with these files. */
function files(contents: Readonly<Record<string, string>>): (path: string) => string {
  return (path) => {
    if (!(path in contents)) throw new Error(`ENOENT: ${path}`);
    return contents[path];
  };
}

const processors = (mask: string) => ({
  "/proc/self/status": `Name:\tnode\nCpus_allowed:\t${mask}\nMems_allowed:\t1\n`,
});

test("auto: the CPU quota of the group or of one above it, rounded up", () => {
  const group = { "/proc/self/cgroup": "0::/pod/box\n", ...processors("ff") };
  const at = (own: string, above: string) =>
    threadCount(0, files({ ...group, "/sys/fs/cgroup/pod/box/cpu.max": own, "/sys/fs/cgroup/pod/cpu.max": above }));
  assert.is(at("150000 100000\n", "max 100000\n"), 2);
  assert.is(at("200000 100000\n", "max 100000\n"), 2);
  assert.is(at("max 100000\n", "50000 100000\n"), 1);
  assert.is(at("400000 100000\n", "300000 100000\n"), 3);
});

test("auto: never more than the processors it may run on", () => {
  const quota = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "800000 100000\n" };
  assert.is(threadCount(0, files({ ...quota, ...processors("5") })), 2);
  assert.is(threadCount(0, files({ ...quota, ...processors("ffffffff,00000001") })), 8);
});

test("auto without cgroup v2, without /proc; and a number, which is itself", () => {
  assert.is(cpuQuota(files({})), Number.POSITIVE_INFINITY);
  assert.is(cpuQuota(files({ "/proc/self/cgroup": "12:cpu:/x\n" })), Number.POSITIVE_INFINITY);
  assert.ok(threadCount(0, files({})) >= 1);
  assert.is(threadCount(7, files({})), 7);
});

test("the ring gives each descriptor to one: the worker, or who takes it back", () => {
  const shared = new Shared();
  const worker = new Shared(shared.memory);
  // Near where its counters wrap around.
  for (const slot of [TAIL, HEAD]) shared.set(slot, 0x7fffffff - 2);
  for (let fd = 0; fd < RING; fd++) assert.ok(shared.give(fd, fd % 3));
  assert.not(shared.give(9, 0));
  const taken: number[] = [];
  const back: number[] = [];
  worker.take((fd, listener) => {
    assert.is(listener, fd % 3);
    taken.push(fd);
    if (taken.length === 10) shared.takeBack((other) => back.push(other));
  });
  assert.equal([taken.length, back.length], [10, RING - 10]);
  assert.is(new Set([...taken, ...back]).size, RING);
  assert.is(shared.waiting, 0);
});

test("owners: what a worker has open, and nothing that it has closed", () => {
  const owners = new Owners(64);
  const worker = new Owners(owners.memory);
  for (const fd of [5, 6, 63, 64]) worker.set(fd, 2);
  worker.set(7, 3);
  worker.set(6, 0);
  assert.equal([...owners.release(2)], [5, 63]);
  assert.equal([...owners.release(2)], []);
  assert.equal([...owners.release(3)], [7]);
});

const family = (name: string, type: Family["type"], value: number): Family => ({
  ...{ name, type, help: "" },
  read: () => [{ labels: { a: "x" }, value }],
});

test("counters and gauges add up, the longest stays the longest, what is the process's own is said once", () => {
  const told = samplesOf([
    family("slipway_turns", "counter", 5),
    family("slipway_task_oldest_seconds", "gauge", 9),
    family("process_open_fds", "gauge", 50),
  ]);
  assert.is(told.length, 2);
  const sum = (name: string, own: number) =>
    [...merged(family(name, "gauge", own), () => [told, told]).read()][0].value;
  assert.is(sum("slipway_turns", 1), 11);
  assert.is(sum("slipway_task_oldest_seconds", 1), 9);
  assert.is(sum("process_open_fds", 40), 40);
});

test("of a worker that is gone counters last and gauges do not", () => {
  const told = samplesOf([family("slipway_turns", "counter", 5), family("slipway_tasks", "gauge", 9)]);
  const once = lasting(told, []);
  assert.equal(
    lasting(told, once).map(({ name, samples }) => [name, samples[0].value]),
    [["slipway_turns", 10]],
  );
});

test("tables of tasks: one row a name", () => {
  const row = (name: string, count: number, oldestMs: number) => ({
    ...{ name, count, oldestMs },
    ages: [count, 0, 0, 1] as [number, number, number, number],
  });
  assert.equal(mergedTasks([[row("a", 1, 5), row("b", 9, 1)], [row("a", 3, 7)]]), [
    row("b", 9, 1),
    { ...row("a", 4, 7), ages: [4, 0, 0, 2] },
  ]);
});

test("what a worker holds is known to the main thread, without what it has freed itself", () => {
  const holdings = new Holdings();
  const worker = new Holdings(holdings.memory);
  worker.add(0x7f00_0000_1000, 4096);
  worker.add(0x7f00_0000_8000, 0);
  worker.add(0x7f00_0001_0000, 65536);
  worker.remove(0x7f00_0000_1000);
  worker.remove(0x7f00_0000_1234);
  worker.add(0x7f00_0002_0000, 8192);
  const left = [...holdings.release()].sort((a, b) => a.address - b.address);
  assert.equal(left, [
    { address: 0x7f00_0000_8000, mapped: 0 },
    { address: 0x7f00_0001_0000, mapped: 65536 },
    { address: 0x7f00_0002_0000, mapped: 8192 },
  ]);
  assert.equal([...holdings.release()], []);
  // More than there is room for stays unknown, and breaks nothing.
  for (let i = 1; i < 200; i++) worker.add(i * 4096, 4096);
  assert.is([...holdings.release()].length, 64);
});

test.run();

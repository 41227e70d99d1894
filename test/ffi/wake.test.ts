/** wake(): the one call that another thread may make. */
import { readdirSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.ts";
import { kernel, onLinux, openReadiness } from "./kernel.ts";

const test = suite("wake");
const sys = kernel();

test("makes the next poll return, and only that one", () => {
  const poller = openReadiness(sys);
  poller.wake();
  poller.wake();
  assert.is(poller.poll(-1), 0);
  assert.is(poller.poll(0), 0);
  poller.dispose();
});

const fromWorker = "from a Worker, while this thread is parked in the kernel";
if (!onLinux) skip(test, fromWorker, "test/ffi/kqueue.test.ts has the one for kqueue");
else
  test(fromWorker, async () => {
    const before = new Set(readdirSync("/proc/self/fd"));
    const poller = openReadiness(sys);
    // The worker wakes by the contract's own means: the same kernel object, reached by its descriptor's number.
    const { readlinkSync } = await import("node:fs");
    const eventfd = readdirSync("/proc/self/fd")
      .filter((fd) => !before.has(fd))
      .find((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).includes("eventfd");
        } catch {
          return false;
        }
      });
    assert.ok(eventfd);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(
      new URL(
        `data:text/javascript,${encodeURIComponent(`
        import { parentPort, workerData } from "node:worker_threads";
        const { linuxSystem: system } = await import(${JSON.stringify(new URL("../../ffi/libc-linux.ts", import.meta.url).href)});
        const sys = system();
        parentPort.postMessage("ready");
        Atomics.wait(workerData, 0, 0); // until the other thread is about to park
        Atomics.wait(workerData, 0, 1, 50);
        sys.eventfdWrite(${eventfd});
      `)}`,
      ),
      { workerData: flag },
    );
    await new Promise((resolve) => worker.once("message", resolve));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    assert.is(poller.poll(20_000), 0);
    const woken = performance.now();
    assert.is(poller.poll(0), 0);
    assert.ok(performance.now() - woken < 10_000, "it did not sleep out its time");
    await new Promise((resolve) => worker.once("exit", resolve));
    poller.dispose();
  });

test.run();

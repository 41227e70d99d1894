// The mixture of test/http/support/mixture.ts with one random fault at one random call: SLIPWAY_RUNS (15) runs, each
// from a seed that is printed when it fails; SLIPWAY_SEED repeats one (but not the kernel's timing).
import * as assert from "uvu/assert";
import { taskCount } from "../../src/runtime/tasks.ts";
import { mixture } from "../http/support/mixture.ts";
import { chooseSeed, Random } from "../http/support/random.ts";
import { descriptors, until } from "../net/pair.ts";
import { logged } from "../support/logged.ts";
import { type Backend, runOn } from "./faulty-system.ts";
import { matrix } from "./matrix.ts";
import { type Call, type Fault, type Injected, singleFault } from "./single-fault.ts";

export const RUNS = Number(process.env["SLIPWAY_RUNS"] ?? 15);
/** Of each run. */
const CONNECTIONS = 20;
const REQUESTS = 20;
/** What the HTTP server calls again and again. */
const OFTEN: readonly Call[] = ["accept", "send", "shutdown", "close", "getpeername", "unacknowledged"];
const CALLS: Readonly<Record<Backend, readonly Call[]>> = {
  epoll: [...OFTEN, "receive", "sendAt", "epollControl", "epollWait"],
  kqueue: [...OFTEN, "receive", "sendAt", "keventChange", "keventWait"],
  uring: [...OFTEN, "ringReceive", "ringReceive", "ringSend", "ringSend", "ringReady", "ringHangup", "enter", "enter"],
};

export async function randomFaults(backend: Backend): Promise<void> {
  const first = chooseSeed();
  console.log(`seed ${first}`);
  const usual = await one(backend, first, undefined);
  const before = { descriptors: descriptors(), tasks: taskCount() };
  let hits = 0;
  for (let run = 0; run < RUNS; run++) {
    const seed = first + run;
    const random = new Random(seed);
    const call = random.pick(CALLS[backend]);
    const { passes = [], breaks = [] } = matrix[call];
    const kind = random.pick([...passes, ...breaks]);
    const often = passes.includes(kind) && kind !== "ENOMEM" && kind !== "ENOBUFS";
    // The poller's own registration, and the listener's, are the first two.
    const least = call === "epollControl" || call === "keventChange" ? 2 : 0;
    const at = least + random.below(Math.max(1, (usual.counts.get(call) ?? 0) * 0.8 - least));
    const fault: Fault = {
      call,
      kind,
      at,
      times: often ? 1 + random.below(200) : 1,
    };
    const said = `seed ${seed}: ${call} #${fault.at} ${kind} × ${fault.times}`;
    try {
      if ((await one(backend, seed, fault)).hits > 0) hits++;
      await until(() => descriptors() <= before.descriptors, "no descriptor is left");
      assert.is(taskCount(), before.tasks, "tasks");
    } catch (error) {
      throw new Error(`${said}: ${error}`, { cause: error });
    }
  }
  console.log(`${hits} of ${RUNS} met their fault`);
  assert.ok(hits > 0);
}

/** Runs the mixture with this fault. */
async function one(backend: Backend, seed: number, fault: Fault | undefined): Promise<Injected> {
  const injected = singleFault(fault);
  const { runtime, restore } = runOn(injected.system, backend, injected.ring);
  const breaks = fault !== undefined && !matrix[fault.call].passes?.includes(fault.kind);
  try {
    const lines = await logged(async () => {
      const { answered } = await mixture(new Random(seed), CONNECTIONS, breaks);
      // One fault: one connection, at most.
      const least = breaks ? (CONNECTIONS - 1) * REQUESTS : CONNECTIONS * REQUESTS;
      assert.ok(answered >= least, `${answered} answered, not ${least}`);
    });
    assert.not.ok(
      lines.some((line) => /internal error/.test(line)),
      lines.join("\n"),
    );
    await until(() => runtime.poller.openCount === 0, "every handle is closed");
  } finally {
    restore();
    runtime.dispose();
  }
  return injected;
}

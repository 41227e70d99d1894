/**
 * Every call into the kernel, at every place it is made from, fails once in every way that its man page allows: each
 * scenario is run again and again with one fault at its first, second, third … call of each method. What must come of
 * it stands in matrix.ts; besides, nothing may be left, and nothing may be tried without end.
 *
 * Some calls are made hundreds of times in a scenario: of those, SLIPWAY_CALLS (4) are picked, by SLIPWAY_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errors } from "../../src/runtime/errors.ts";
import { taskCount } from "../../src/runtime/tasks.ts";
import { connect as connectHttp } from "../http/support/client.ts";
import { start } from "../http/support/server.ts";
import { descriptors, until } from "../net/pair.ts";
import { logged } from "../support/logged.ts";
import { skip } from "../support/skip.ts";
import { type Backend, openOn, randomFrom, runOn, seed } from "./faulty-system.ts";
import { type Expected, matrix } from "./matrix.ts";
import type { Machine } from "./scenarios.ts";
import * as scenarios from "./scenarios.ts";
import {
  type Call,
  calls,
  ELSEWHERE,
  type Fault,
  FOREIGN,
  type Injected,
  type Kind,
  singleFault,
} from "./single-fault.ts";

const PICKED = Number(process.env["SLIPWAY_CALLS"] ?? 4);
/** A fault costs a few calls more. More than these is a spin. */
const MORE_CALLS = 400;
/** The call by which each looks whether there is something. */
const LOOKS = { epoll: "epollWait", uring: "enter", kqueue: "keventWait" } as const;
/** Errnos of a kernel that is short of something: several in a row are no rarity. */
const SCARCE: readonly Kind[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"];

/** The tests for this backend; `refused` is why it does not work here, "" when it does. */
export function callSites(backend: Backend, refused = ""): void {
  const title = `call sites [${backend}]`;
  const test = suite(title);
  const random = randomFrom(seed(title));
  const expected = calls().filter((call) => !FOREIGN[backend].includes(call));
  const one = (name: string, run: () => void | Promise<void>): void =>
    refused === "" ? void test(name, run) : skip(test, name, refused);
  const machine = ({ system, ring }: Injected): Machine => ({ system, open: () => openOn(system, backend, ring) });

  one("the matrix knows every call of the seam, and no other", () => {
    assert.equal(Object.keys(matrix).sort(), [...calls(), ...ELSEWHERE].sort());
  });

  const reached = new Set<Call>();

  for (const [name, scenario] of Object.entries(scenarios) as [string, scenarios.Scenario][]) {
    one(`${name}: one fault at each call`, async () => {
      // Twice, so that what is made once a process is there.
      await scenario(machine(singleFault(undefined)));
      const plain = singleFault(undefined);
      const outcome = await scenario(machine(plain));
      assert.equal([...outcome.failures.map(String), ...outcome.wrong], [], "without a fault");
      const before = { descriptors: descriptors(), tasks: taskCount() };
      let runs = 0;
      let hits = 0;
      for (const [call, count] of plain.counts) {
        reached.add(call);
        for (const fault of faults(call, count, random)) {
          const injected = singleFault(fault);
          const said = `${name}: ${fault.call} #${fault.at} ${fault.kind} × ${fault.times}`;
          const lines = await logged(async () => {
            const { failures, wrong } = await scenario(machine(injected)).catch((error) => {
              throw new Error(`${said}: ${error}`, { cause: error });
            });
            assert.equal(wrong, [], said);
            check(said, fault, failures);
          });
          runs++;
          hits += injected.hits > 0 ? 1 : 0;
          assert.not.ok(
            lines.some((line) => /internal error/.test(line)),
            `${said}: ${lines}`,
          );
          for (const [other, made] of injected.counts) {
            const usual = plain.counts.get(other) ?? 0;
            assert.ok(made <= 3 * usual + MORE_CALLS, `${said}: ${made} calls of ${other}, usually ${usual}`);
          }
          await until(() => descriptors() <= before.descriptors, `${said}: no descriptor is left`);
          await until(() => taskCount() <= before.tasks, `${said}: no task is left`);
        }
      }
      console.log(`${name}: ${runs} runs, ${hits} with their fault`);
      assert.ok(hits > runs / 2, `${hits} of ${runs}`);
    });
  }

  one("the scenarios make every call", () => {
    const never = expected.filter((call) => !reached.has(call));
    assert.equal(never, []);
  });

  const lasting = [
    ["accept", "EMFILE"],
    ["accept", "ENOMEM"],
    ...(backend !== "uring"
      ? ([["receive", "ENOMEM"], ["sendAt", "ENOBUFS"]] as const)
      : ([["ringReceive", "ENOMEM"], ["ringSend", "ENOBUFS"]] as const)), // biome-ignore format: a list
  ] as const;
  for (const [call, kind] of lasting) {
    one(`${call} ${kind} that lasts is looked at ten times a second, and no more`, async () => {
      const injected = singleFault({ call, kind, at: 0, times: Number.POSITIVE_INFINITY });
      const { runtime, restore } = runOn(injected.system, backend, injected.ring);
      const looks = (): number => injected.counts.get(LOOKS[backend]) ?? 0;
      try {
        await logged(async () => {
          using server = start(() => new Response("hello"));
          using client = await connectHttp(server.port);
          client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
          await until(() => injected.hits > 0, "the first fault");
          const before = injected.hits;
          await new Promise((resolve) => setTimeout(resolve, 500));
          assert.ok(injected.hits - before <= 10, `${injected.hits - before} calls in half a second`);
          assert.ok(looks() < 100, `${looks()} looks`);
          assert.is(client.over, false);
        });
        await until(() => runtime.poller.openCount === 0, "every handle is closed");
      } finally {
        restore();
        runtime.dispose();
      }
    });
  }

  test.run();
}

/** The faults of one call in a scenario that makes it `count` times. */
function* faults(call: Call, count: number, random: () => number): Generator<Fault> {
  const { passes = [], breaks = [], refuses = [] }: Expected = matrix[call];
  for (const kind of [...passes, ...breaks, ...refuses]) {
    const places =
      count <= PICKED
        ? Array.from({ length: count }, (_, i) => i)
        : // The first ones are where things begin; the others are alike.
          [0, 1, ...Array.from({ length: PICKED - 2 }, () => Math.floor(random() * count))];
    for (const at of new Set(places)) yield { call, kind, at, times: 1 };
    if (SCARCE.includes(kind) && passes.includes(kind)) yield { call, kind, at: 0, times: 3 };
  }
}

function check(said: string, { call, kind }: Fault, failures: readonly Error[]): void {
  const { passes = [], breaks = [] }: Expected = matrix[call];
  const told = `${said}: ${failures.map(String).join("; ")}`;
  if (passes.includes(kind)) assert.is(failures.length, 0, told);
  else assert.ok(failures.length <= 1, told);
  if (passes.includes(kind) || breaks.includes(kind)) return;
  for (const error of failures) {
    // One sentence: the system's, where, and the errno; a class of Deno's where it has one.
    const clear = /\(os error \d+\): \S+|with errno \d+|^poller: |^socketpair|descriptor \d+ is no listening/.test(
      error.message,
    );
    assert.ok(clear && !error.message.includes("\n"), told);
    const Class = { ECONNREFUSED: errors.ConnectionRefused, EADDRINUSE: errors.AddrInUse, EACCES: errors.PermissionDenied }[kind as string]; // biome-ignore format: one line
    if (Class !== undefined) assert.instance(error, Class, told);
  }
}

// time limit: 120 s
/**
 * Everything at random, on a kernel under pressure: connections that send, receive, pause, half-close and close, while
 * requests fail in every way that passes, and some in ways that break one connection. Every byte that was taken as sent
 * arrives, once, in order, and then the end; whoever breaks hears of it, once; nothing is left.
 *
 * SLIPWAY_SEED repeats a run (but not the kernel's timing); SLIPWAY_RUNS (12) are made, each with the next seed.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxSystem } from "../../../ffi/system.ts";
import type { UringPoller } from "../../../ffi/uring.ts";
import { skip } from "../../support/skip.ts";
import { faultySystem, randomFrom, seed } from "../faulty-system.ts";
import { matrix } from "../matrix.ts";
import { randomRing } from "../ring-faults.ts";
import { connection, descriptors, type Far, faultsRefused, type Near, newPoller, pattern, same, settle, smallBuffers, tcp, unix } from "./support.ts"; // biome-ignore format: one line

const RUNS = Number(process.env["SLIPWAY_RUNS"] ?? 12);
const ACTIONS = 3000;
const CONNECTIONS = 40;

const test = suite("pressure");
const first = seed("pressure");

interface Live {
  readonly near: Near;
  readonly far: Far;
  /** What each side has sent. */
  readonly out: Uint8Array[];
  readonly in: Uint8Array[];
  /** Small buffers, which are full most of the time. */
  readonly slow: boolean;
  receiving: boolean;
  shut: boolean;
  farDone: boolean;
  /** Some of what it was sent is with us and was told to wait: a close drops it, as everywhere. */
  sending: boolean;
}

/** Polls, and reads at the far end, until it holds. */
function reading(poller: UringPoller, far: Far, holds: () => boolean, what: string): void {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
    far.read();
    poller.poll(1);
    // As the runtime does, ten times a second.
    if (poller.stalled > 0) poller.retry();
  }
}

const total = new Map<string, number>();

for (let run = 0; run < RUNS; run++) {
  const breaking = run % 3 === 2 ? 0.004 : 0;
  const name = `run ${run}${breaking > 0 ? ", some break" : ""}`;
  if (faultsRefused !== "") skip(test, name, faultsRefused);
  else
    test(name, () => {
      try {
        one(first + run, breaking);
      } catch (error) {
        throw new Error(`SLIPWAY_SEED=${first + run}: ${(error as Error).stack}`, { cause: error });
      }
    });
}

function one(runSeed: number, breaking: number): void {
  const random = randomFrom(runSeed);
  const below = (n: number): number => Math.floor(random() * n);
  const before = descriptors();
  const { ring, had } = randomRing(random, 0.15, breaking);
  const { system } = faultySystem(random, {
    send: { rate: 0.1, kinds: ["EINTR", "EAGAIN", "short", "EINTR", "EAGAIN", "short", "ENOMEM", "ENOBUFS"] },
    close: { rate: 0.1, kinds: ["EINTR"] },
  });
  const poller = newPoller(ring.calls, system as LinuxSystem);
  ring.arm();
  poller.onSinkError = (_handle, error) => {
    throw error;
  };
  const live: Live[] = [];
  const over: Live[] = [];
  let broken = 0;

  const open = (): void => {
    const slow = random() < 0.3;
    const fds = slow ? unix(smallBuffers) : random() < 0.5 ? tcp() : unix();
    const each: Live = { slow, ...connection(poller, fds), out: [], in: [], receiving: false, shut: false, farDone: false, sending: false }; // biome-ignore format: one line
    each.near.also = (what) => {
      assert.ok(poller.sink(each.near.handle) === each.near, `${what} behind close`);
      if (what === "sent") each.sending = false;
      if (what === "received") assert.ok(each.receiving, "received in a pause");
      if (what.startsWith("failed")) {
        assert.ok(breaking > 0, what);
        broken++;
        poller.close(each.near.handle);
        live.splice(live.indexOf(each), 1);
        each.far.close();
      }
    };
    live.push(each);
  };
  /** All that was sent to either side has come. */
  const finish = (each: Live): void => {
    const { near, far } = each;
    const expected = Buffer.concat(each.in);
    if (!each.receiving) poller.receive(near.handle);
    each.receiving = true;
    far.finish();
    const gone = (): boolean => !live.includes(each);
    reading(poller, far, () => gone() || near.count("ended") === 1, "the end of what we receive");
    if (gone()) return;
    same(near.bytes, expected, "received");
    reading(poller, far, () => gone() || !each.sending, "sent");
    if (gone()) return;
    live.splice(live.indexOf(each), 1);
    poller.close(near.handle);
    over.push(each);
  };

  for (let i = 0; i < CONNECTIONS; i++) open();
  for (let action = 0; action < ACTIONS; action++) {
    const each = live[below(live.length)];
    if (each === undefined) {
      open();
      continue;
    }
    const { near, far } = each;
    switch (below(12)) {
      case 0:
      case 1:
      case 2: {
        if (each.shut) break;
        const bytes = pattern(1 + Math.floor(random() ** 4 * (each.slow ? 10_000 : 20_000)), action);
        const result = near.answer(bytes);
        if (result < 0) {
          assert.ok(breaking > 0, `${result}`);
          break;
        }
        if (result > 0) each.sending = true;
        each.out.push(bytes);
        break;
      }
      case 3: {
        if (each.shut) break;
        const bytes = pattern(1 + Math.floor(random() ** 4 * (each.slow ? 10_000 : 200_000)), action);
        const result = poller.send(near.handle, bytes, 0, bytes.length);
        if (result > 0) each.sending = true;
        if (result >= 0) each.out.push(bytes);
        break;
      }
      case 4: {
        if (each.shut) break;
        const bytes = pattern(1 + below(each.slow ? 3000 : 50_000), action);
        const result = poller.sendSome(near.handle, bytes, 0, bytes.length);
        if (result > 0) each.out.push(bytes.subarray(0, result));
        break;
      }
      case 5: {
        const bytes = pattern(1 + Math.floor(random() ** 4 * 100_000), action);
        const sent = each.farDone ? 0 : far.send(bytes);
        if (sent > 0) each.in.push(bytes.subarray(0, sent));
        break;
      }
      case 6:
        if (near.count("ended") === 0) poller.receive(near.handle);
        each.receiving = true;
        break;
      case 7:
        poller.pause(near.handle);
        each.receiving = false;
        break;
      case 8:
        far.read(1 + below(100_000));
        break;
      case 9:
        poller.poll(0);
        break;
      case 10:
        if (random() < 0.05 && !each.sending && !each.shut) {
          assert.ok(poller.shutdown(near.handle) === 0 || breaking > 0);
          each.shut = true;
        }
        break;
      default:
        // Closed as it is: what was taken as sent is delivered all the same, unless bytes that nobody read make a reset.
        if (random() < 0.2 && !each.sending && near.length === Buffer.concat(each.in).length) {
          live.splice(live.indexOf(each), 1);
          poller.close(near.handle, random() < 0.3);
          over.push(each);
          open();
        }
    }
    if (random() < 0.02) poller.retry();
  }
  for (const each of [...live]) finish(each);
  for (const { far, out } of over) {
    reading(poller, far, () => far.end !== undefined, "the end of what it was sent");
    const expected = Buffer.concat(out);
    // Of one that broke behind its close only the beginning comes.
    if (breaking === 0) {
      assert.is(far.end, 0, "FIN");
      same(far.bytes, expected, "sent");
    } else same(far.bytes, expected.subarray(0, far.length), "what came of it");
    far.close();
  }
  settle(poller);
  assert.is(poller.openCount, 0);
  poller.dispose();
  assert.equal(descriptors(), before, "no descriptor is left");
  for (const [what, times] of had) total.set(what, (total.get(what) ?? 0) + times);
  if (breaking > 0) console.log(`${broken} broke`);
}

if (faultsRefused === "") {
  test("each fault that passes was met", () => {
    for (const call of ["ringReceive", "ringSend", "ringReady", "enter"] as const) {
      for (const kind of matrix[call].passes ?? []) {
        assert.ok(total.has(`${call} ${kind}`), `${call} ${kind}: ${[...total.keys()]}`);
      }
    }
  });
}

test.run();

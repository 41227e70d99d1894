/** Receiving on io_uring: in bulk, in a pause, without buffers, and more completions than their queue holds. */
import * as assert from "uvu/assert";
import { BUFFER_BYTES } from "../../../ffi/uring-buffers.ts";
import { Ring } from "../../../ffi/uring-ring.ts";
import { skip } from "../../support/skip.ts";
import { randomFrom, seed } from "../faulty-system.ts";
import { connection, errno, type Far, type Near, pattern, same, settle, sys, unix, until, uring } from "./support.ts"; // biome-ignore format: one line

const test = uring("receiving");
const byte = new Uint8Array([1]);

/** Sends from the far end what fits; false when it is full. */
function push(far: Far, bytes: Uint8Array, from: number): number {
  for (let at = from; ; ) {
    const n = at < bytes.length ? far.send(bytes.subarray(at)) : 0;
    if (n <= 0) return at;
    at += n;
  }
}

test("in bulk: all, in order, from many at once", (poller) => {
  const pairs = Array.from({ length: 8 }, (_, i) => ({ ...connection(poller), bytes: pattern(4_000_000, i), at: 0 }));
  for (const { near } of pairs) poller.receive(near.handle);
  until(
    poller,
    () => {
      for (const pair of pairs) pair.at = push(pair.far, pair.bytes, pair.at);
      return pairs.every(({ near, bytes }) => near.length === bytes.length);
    },
    "all has come",
  );
  for (const { near, far, bytes } of pairs) {
    same(near.bytes, bytes, "bulk");
    far.finish();
    until(poller, () => near.count("ended") === 1, "the end");
    poller.close(near.handle);
    far.close();
  }
});

test("small pieces, then bulk, then small ones, with pauses at random", (poller) => {
  const random = randomFrom(seed("receiving"));
  const { near, far } = connection(poller);
  const bytes = pattern(3_000_000);
  let at = 0;
  let receiving = false;
  while (near.length < bytes.length) {
    const most = random() < 0.5 ? 1 + Math.floor(random() * 100) : Math.floor(random() * 300_000);
    const sent = at < bytes.length ? far.send(bytes.subarray(at, at + most)) : 0;
    if (sent > 0) at += sent;
    if (receiving && random() < 0.2) {
      poller.pause(near.handle);
      receiving = false;
    } else if (!receiving && random() < 0.5) {
      poller.receive(near.handle);
      receiving = true;
    }
    const before = near.length;
    for (let looks = 0; looks < 3; looks++) poller.poll(0);
    if (!receiving) assert.is(near.length, before, "nothing comes in a pause");
  }
  same(near.bytes, bytes, "all");
  poller.close(near.handle);
  far.close();
});

test("a pause in the callback: nothing more comes, though more has been received", (poller) => {
  const { near, far } = connection(poller);
  const bytes = pattern(500_000);
  near.also = (what) => {
    if (what === "received") poller.pause(near.handle);
  };
  poller.receive(near.handle);
  let at = 0;
  for (let pauses = 1; near.length < bytes.length; pauses++) {
    at = push(far, bytes, at);
    until(poller, () => near.count("received") === pauses, "a piece");
    settle(poller);
    assert.is(near.count("received"), pauses);
    poller.receive(near.handle);
  }
  same(near.bytes, bytes, "all");
  poller.close(near.handle);
  far.close();
});

test("what comes in a pause is held, in order, and bounded: the rest waits with the sender", (poller) => {
  for (const small of [false, true]) {
    const { near, far } = connection(poller);
    poller.receive(near.handle);
    if (small) {
      // Its pieces were small until now: it is received from once for all.
      far.send(byte);
      until(poller, () => near.length === 1, "the first byte");
    }
    settle(poller);
    const bytes = pattern(30_000_000);
    const before = process.memoryUsage().arrayBuffers;
    poller.pause(near.handle);
    let at = 0;
    for (let full = 0; full < 5; ) {
      const next = push(far, bytes, at);
      full = next === at ? full + 1 : 0;
      at = next;
      settle(poller);
    }
    assert.ok(at < bytes.length, "the sender has to wait");
    assert.ok(process.memoryUsage().arrayBuffers - before < 40 * BUFFER_BYTES, "little is held");
    assert.is(near.length, small ? 1 : 0);
    poller.receive(near.handle);
    const first = near.length;
    until(poller, () => near.length === first + at, "what was sent");
    same(near.bytes.subarray(first), bytes.subarray(0, at), "in order");
    poller.close(near.handle);
    far.close();
  }
});

const ends: Record<string, (far: Far) => void> = { FIN: (far) => far.finish(), "a reset": (far) => far.reset() };
for (const [what, end] of Object.entries(ends)) {
  for (const [when, begin] of [
    ["of one that never received", () => {}],
    ["of one that waits for bytes", (poller, near) => poller.receive(near.handle)],
  ] as [string, (poller: Parameters<Parameters<typeof test>[1]>[0], near: Near) => void][]) {
    // As much as surely fits the socket: FIN stands behind it there.
    for (const more of [0, 3, 30_000]) {
      test(`${what} behind ${more} bytes in a pause ${when}: hungUp is told, and the rest when it goes on`, (poller) => {
        const { near, far } = connection(poller);
        begin(poller, near);
        settle(poller);
        poller.pause(near.handle);
        const bytes = pattern(more);
        let at = push(far, bytes, 0);
        settle(poller);
        assert.is(near.heard.length, 0);
        at = push(far, bytes, at);
        end(far);
        until(poller, () => near.count("hungUp") > 0, "hungUp");
        assert.ok(
          near.heard.every((heard) => heard === "hungUp"),
          near.heard.join(),
        );
        poller.receive(near.handle);
        until(poller, () => near.heard.some((heard) => heard === "ended" || heard.startsWith("failed")), "its end");
        if (what === "FIN") {
          same(near.bytes, bytes.subarray(0, at), "all before it");
          assert.is(near.heard.at(-1), "ended");
          far.close();
        } else assert.is(near.heard.at(-1), `failed ${errno.ECONNRESET}`);
        const told = near.heard.length;
        settle(poller);
        poller.receive(near.handle);
        settle(poller);
        assert.ok(near.heard.length - told <= 1, "it is told once, and again only to who asks again");
        poller.close(near.handle);
        settle(poller);
      });
    }
  }
}

test("paused, closed: what was held is nobody's, and the peer is told", (poller) => {
  const { near, far } = connection(poller);
  poller.receive(near.handle);
  settle(poller);
  poller.pause(near.handle);
  far.send(pattern(1000));
  settle(poller);
  poller.close(near.handle);
  until(poller, () => far.read() && far.end !== undefined, "an end");
  const next = connection(poller);
  poller.receive(next.near.handle);
  settle(poller);
  assert.equal([...near.heard, ...next.near.heard], []);
  poller.close(next.near.handle);
  next.far.close();
  far.close();
});

test("more that send at once than there are buffers: each gets all of its own", (poller) => {
  // 512 buffers are the most there are.
  const pairs = Array.from({ length: 1300 }, () => connection(poller, unix()));
  for (const { near } of pairs) poller.receive(near.handle);
  settle(poller);
  for (let round = 0; round < 4; round++) {
    for (const [i, { far }] of pairs.entries()) far.send(pattern(100, i + round));
    until(poller, () => pairs.every(({ near }) => near.length === (round + 1) * 100), `round ${round}`);
  }
  for (const [i, { near, far }] of pairs.entries()) {
    same(near.bytes, Buffer.concat([0, 1, 2, 3].map((round) => pattern(100, i + round))), `connection ${i}`);
    far.finish();
  }
  until(poller, () => pairs.every(({ near }) => near.count("ended") === 1), "all have ended");
  for (const { near, far } of pairs) {
    poller.close(near.handle);
    far.close();
  }
});

test("without a buffer, paused and closed meanwhile", (poller) => {
  const pairs = Array.from({ length: 900 }, () => connection(poller, unix()));
  for (const { near } of pairs) poller.receive(near.handle);
  settle(poller);
  for (const [i, { far, near }] of pairs.entries()) {
    far.send(pattern(200, i));
    near.also = () => {
      // Whoever comes next is paused, the one behind him closed, just as they run out.
      if (i % 3 === 0) {
        poller.pause(pairs[(i + 1) % 900].near.handle);
        poller.close(pairs[(i + 2) % 900].near.handle);
      }
    };
  }
  settle(poller);
  for (const { near } of pairs) {
    near.also = () => {};
    if (poller.sink(near.handle) === near) poller.receive(near.handle);
  }
  settle(poller);
  for (const [i, { near, far }] of pairs.entries()) {
    if (poller.sink(near.handle) === near) same(near.bytes, pattern(200, i), `connection ${i}`);
    poller.close(near.handle);
    far.close();
  }
});

const HANDLES = 4600;
const overflows = "more completions in one look than their queue holds: none is lost";
if (sys.descriptorLimit() < 2 * HANDLES + 200)
  skip(test, overflows, `${HANDLES} pairs of sockets need more descriptors`);
else
  test(overflows, (poller) => {
    const overflowed = Object.getOwnPropertyDescriptor(Ring.prototype, "overflowed");
    let times = 0;
    Object.defineProperty(Ring.prototype, "overflowed", {
      configurable: true,
      get() {
        const now: boolean = overflowed?.get?.call(this);
        if (now) times++;
        return now;
      },
    });
    const pairs = Array.from({ length: HANDLES }, () => connection(poller, unix()));
    try {
      settle(poller);
      for (let round = 1; round <= 3; round++) {
        for (const { far } of pairs) far.send(new Uint8Array([round]));
        // The first round's bytes are there when they are asked for: that completes at once, 1,024 in each enter.
        for (const { near } of pairs) poller.receive(near.handle);
        until(poller, () => pairs.every(({ near }) => near.length === round), `round ${round}`);
      }
      for (const { far } of pairs) far.finish();
      until(poller, () => pairs.every(({ near }) => near.count("ended") === 1), "every end");
      for (const { near } of pairs) assert.equal([...near.bytes], [1, 2, 3]);
      assert.ok(times > 0, "the queue was full");
    } finally {
      if (overflowed !== undefined) Object.defineProperty(Ring.prototype, "overflowed", overflowed);
      for (const { near, far } of pairs) {
        poller.close(near.handle);
        far.close();
      }
    }
  });

test.run();

/** Sending on io_uring: all of it, in order, once, however it was sent, to whomever reads slowly, and FIN behind it. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { SENDING } from "../../../ffi/poller.ts";
import type { UringPoller } from "../../../ffi/uring.ts";
import { randomFrom, seed } from "../faulty-system.ts";
import { connection, errno, type Far, linger0, type Near, pattern, SENT, same, settle, smallBuffers, tcp, unix, until, uring } from "./support.ts"; // biome-ignore format: one line

const test = uring("sending");
const small = (): [number, number] => tcp(smallBuffers);

/** Reads until so many bytes are there, or the end. */
function readAll(poller: UringPoller, far: Far, length = Number.POSITIVE_INFINITY): void {
  until(
    poller,
    () => {
      far.read();
      return far.length >= length || far.end !== undefined;
    },
    `${length} bytes, or the end`,
  );
}

/** Fills a connection with answers until one was not taken whole; what was sent of `bytes`. */
function fill(poller: UringPoller, near: Near, bytes: Uint8Array, piece = 8000): number {
  let at = 0;
  for (; at < bytes.length; at += piece) {
    if (near.answer(bytes.subarray(at, at + piece)) !== SENT) return Math.min(bytes.length, at + piece);
    poller.poll(0);
  }
  throw new Error("it never filled");
}

test("answers of one turn: in order, small and large, appended and not", (poller) => {
  const random = randomFrom(seed("sending"));
  const pairs = Array.from({ length: 10 }, () => connection(poller));
  const expected = pairs.map(() => [] as Uint8Array[]);
  for (let turn = 0; turn < 60; turn++) {
    for (let i = 0; i < 40; i++) {
      // Runs of one handle are appended; a change of handle begins a new send.
      const which = Math.floor(random() * (turn % 2 === 0 ? 10 : 2));
      const length = 1 + Math.floor(random() ** 6 * 60_000);
      const bytes = pattern(length, turn * 100 + i);
      const { near } = pairs[which];
      if (random() < 0.1) poller.send(near.handle, bytes, 0, length);
      else near.answer(bytes);
      expected[which].push(bytes);
      if (random() < 0.05) poller.poll(0);
    }
    poller.poll(0);
    for (const { far } of pairs) far.read();
  }
  for (const [i, { near, far }] of pairs.entries()) {
    const all = Buffer.concat(expected[i]);
    readAll(poller, far, all.length);
    same(far.bytes, all, `connection ${i}`);
    poller.close(near.handle);
    readAll(poller, far);
    assert.is(far.end, 0);
    far.close();
  }
});

test("more sends in a turn than the queue of requests holds, and more bytes than wait with us", (poller) => {
  const pairs = Array.from({ length: 1500 }, () => connection(poller, unix()));
  settle(poller);
  // One each, so that nothing is appended; then 1,500 × 1,000 bytes.
  for (const length of [7, 1000]) {
    for (const [i, { near }] of pairs.entries()) assert.is(near.answer(pattern(length, i)), SENT);
  }
  poller.poll(0);
  for (const [i, { near, far }] of pairs.entries()) {
    readAll(poller, far, 1007);
    same(far.bytes, Buffer.concat([pattern(7, i), pattern(1000, i)]), `connection ${i}`);
    poller.close(near.handle);
    readAll(poller, far);
    far.close();
  }
});

test("what was not taken whole goes on when there is room; `sent` tells of it, and order is kept", (poller) => {
  const { near, far } = connection(poller, small());
  const bytes = pattern(400_000);
  let at = fill(poller, near, bytes);
  const told = near.count("sent");
  // From here on it is told to wait; whoever does not has it kept in order all the same.
  for (; at < 300_000; at += 5000) assert.is(near.answer(bytes.subarray(at, at + 5000)), SENDING);
  assert.is(poller.send(near.handle, bytes, at, bytes.length), SENDING);
  readAll(poller, far, bytes.length);
  same(far.bytes, bytes, "all");
  until(poller, () => near.count("sent") > told, "`sent`");
  assert.is(near.answer(bytes.subarray(0, 10)), SENT, "and then all is as before");
  poller.close(near.handle);
  readAll(poller, far);
  assert.is(far.length, bytes.length + 10);
  far.close();
});

const endings: Record<string, (poller: UringPoller, near: Near) => void> = {
  close: (poller, near) => poller.close(near.handle),
  "close at once": (poller, near) => poller.close(near.handle, true),
  "receive and close": (poller, near) => {
    poller.receive(near.handle);
    settle(poller);
    poller.close(near.handle);
  },
  shutdown: (poller, near) => assert.is(poller.shutdown(near.handle), 0),
  "shutdown and close": (poller, near) => {
    assert.is(poller.shutdown(near.handle), 0);
    poller.close(near.handle);
  },
};
for (const [ending, end] of Object.entries(endings)) {
  for (const look of [false, true]) {
    for (const receiving of [false, true]) {
      const what = `${ending} behind a send that was not taken whole${look ? ", a turn later" : ""}${receiving ? ", receiving" : ""}`;
      test(`${what}: the slow reader gets all, then FIN`, (poller) => {
        const { near, far } = connection(poller, small());
        if (receiving) poller.receive(near.handle);
        settle(poller);
        // Taken for sent, since there is nothing before them; but more than the socket takes.
        const bytes = pattern(48_000);
        for (let at = 0; at < bytes.length; at += 16_000) {
          assert.is(near.answer(bytes.subarray(at, at + 16_000)), SENT);
        }
        if (look) poller.poll(0);
        end(poller, near);
        settle(poller);
        // Slowly.
        for (let looks = 0; far.end === undefined && looks < 100_000; looks++) {
          far.read(3000);
          poller.poll(1);
        }
        assert.is(far.end, 0, "FIN");
        same(far.bytes, bytes, "all");
        assert.is(near.count(`failed ${errno.EPIPE}`), 0);
        far.close();
        if (ending === "shutdown") poller.close(near.handle);
        settle(poller);
      });
    }
  }
}

test("two of them: the second begins where the first has broken off, and both are closed", (poller) => {
  const bytes = pattern(16_000);
  const pairs = Array.from({ length: 20 }, () => connection(poller, small()));
  for (let answer = 0; answer < 2; answer++) {
    // In turns, so that none is appended: the second of each is sent by itself.
    for (const { near } of pairs) near.answer(bytes.subarray(answer * 8000, answer * 8000 + 8000));
  }
  for (const { near } of pairs) poller.close(near.handle);
  for (const { far } of pairs) {
    readAll(poller, far);
    same(far.bytes, bytes, "both");
    far.close();
  }
});

for (const look of [false, true]) {
  test(`SO_LINGER 0 behind a send that was not taken whole${look ? ", a turn later" : ""}: reset at once`, (poller) => {
    for (const receiving of [false, true]) {
      const { near, far } = connection(poller, small());
      if (receiving) poller.receive(near.handle);
      settle(poller);
      assert.is(near.answer(pattern(16_000)), SENT);
      if (look) poller.poll(0);
      linger0(poller.fd(near.handle));
      poller.close(near.handle);
      for (let looks = 0; looks < 10; looks++) poller.poll(1);
      far.read();
      assert.is(far.end, errno.ECONNRESET, receiving ? "receiving" : "not receiving");
      far.close();
    }
  });
}

for (const receiving of [false, true]) {
  test(`to a peer that has reset${receiving ? ", while receiving" : ""}: failed, and nobody else`, (poller) => {
    const { near, far } = connection(poller);
    const other = connection(poller);
    settle(poller);
    far.reset();
    // Before we hear of it.
    assert.is(near.answer(pattern(100)), SENT);
    assert.is(near.answer(pattern(100)), SENT);
    assert.is(other.near.answer(pattern(100)), SENT);
    if (receiving) poller.receive(near.handle);
    until(poller, () => near.heard.some((what) => what.startsWith("failed")), "failed");
    assert.ok(near.heard.includes(`failed ${errno.EPIPE}`) || near.heard.includes(`failed ${errno.ECONNRESET}`));
    poller.close(near.handle);
    const told = near.heard.length;
    settle(poller);
    assert.is(near.heard.length, told, "nothing behind close");
    assert.ok(!other.near.heard.some((what) => what.startsWith("failed")));
    poller.close(other.near.handle);
    readAll(poller, other.far);
    assert.is(other.far.length, 100);
    other.far.close();
  });
}

test("to a peer that resets while the rest waits: failed; closed already, nobody hears and nothing is left", (poller) => {
  for (const closed of [false, true]) {
    const { near, far } = connection(poller, small());
    settle(poller);
    near.answer(pattern(16_000));
    poller.poll(0);
    if (closed) poller.close(near.handle);
    settle(poller);
    far.reset();
    if (closed) settle(poller);
    else {
      until(poller, () => near.heard.some((what) => what.startsWith("failed")), "failed");
      poller.close(near.handle);
    }
  }
});

test("sendSome and sendFile stand behind answers of this turn, and behind what is left of one", (poller) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-uring-"));
  const bytes = pattern(100_000);
  writeFileSync(join(folder, "file"), bytes);
  const file = openSync(join(folder, "file"), "r");
  try {
    for (const how of ["sendSome", "sendFile"]) {
      for (const first of [10, 16_000]) {
        const { near, far } = connection(poller, small());
        assert.is(near.answer(bytes.subarray(0, first)), SENT);
        let at = first;
        while (at < bytes.length) {
          const n =
            how === "sendSome"
              ? poller.sendSome(near.handle, bytes, at, bytes.length)
              : poller.sendFile(near.handle, file, at, bytes.length - at);
          if (n >= 0) at += n;
          else {
            assert.is(n, -errno.EAGAIN);
            const told = near.count("sent");
            until(poller, () => far.read() && near.count("sent") > told, "there is room");
          }
          // And an answer behind it, which may be kept.
          if (at < bytes.length) near.answer(bytes.subarray(at, ++at));
        }
        readAll(poller, far, bytes.length);
        same(far.bytes, bytes, how);
        poller.close(near.handle);
        far.close();
      }
    }
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});

test("a large answer stands behind small ones, and small ones behind it", (poller) => {
  const { near, far } = connection(poller);
  const bytes = pattern(100_000);
  for (const [start, end] of [[0, 10], [10, 60_000], [60_000, 60_001], [60_001, 99_999], [99_999, 100_000]]) near.answer(bytes.subarray(start, end)); // biome-ignore format: a table
  readAll(poller, far, bytes.length);
  same(far.bytes, bytes, "all");
  poller.close(near.handle);
  far.close();
});

test("outstanding counts what waits with us", (poller) => {
  const { near, far } = connection(poller, small());
  near.answer(pattern(16_000));
  poller.poll(0);
  assert.ok(poller.outstanding(near.handle) > 10_000);
  readAll(poller, far, 16_000);
  until(poller, () => poller.outstanding(near.handle) === 0, "all is there");
  poller.close(near.handle);
  far.close();
});

test("whoever does not read is left after 30 seconds; the others, and the poller, go on meanwhile", (poller) => {
  const { near, far } = connection(poller, small());
  near.answer(pattern(16_000));
  poller.close(near.handle);
  settle(poller);
  const other = connection(poller);
  other.near.answer(pattern(10));
  poller.close(other.near.handle);
  readAll(poller, other.far);
  other.far.close();
  assert.is(far.end, undefined, "it has its time");
  readAll(poller, far);
  assert.is(far.length, 16_000);
  far.close();
});

test.run();

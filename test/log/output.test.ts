/** The queue in front of the log's descriptor: bounded, in order, and never waiting for its reader. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LaterChannel, NowChannel } from "../../src/log/channel.ts";
import { LogOutput } from "../../src/log/output.ts";
import { type DropReason, droppedLines } from "../../src/runtime/log-rate.ts";

const dropLine = (reason: DropReason, lines: number) => `dropped ${lines} ${reason}\n`;

/** A reader with room for so many bytes; each write may also be cut short, or fail. */
function reader(room = Number.POSITIVE_INFINITY, unit = 64) {
  const state = { room, most: Number.POSITIVE_INFINITY, fails: false, got: "", writes: 0 };
  const channel: NowChannel = {
    kind: "now",
    unit,
    write(bytes) {
      state.writes++;
      if (state.fails) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      const length = Math.min(bytes.length, state.room, state.most);
      state.room -= length;
      state.got += Buffer.from(bytes.subarray(0, length)).toString("latin1");
      return length;
    },
  };
  return Object.assign(state, { channel });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Until `done`: the retry's own timer keeps nobody alive. */
async function until(done: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!done()) {
    assert.ok(Date.now() < end, "it did not come to that in 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a line leaves at once, gathered ones together in a moment", async () => {
  const its = reader();
  const output = new LogOutput(its.channel, { dropLine });
  output.write("one\n");
  assert.is(its.got, "one\n");
  output.write("two\n", true);
  output.write("three\n", true);
  assert.is(its.writes, 1);
  await turn();
  assert.is(its.writes, 2);
  assert.is(its.got, "one\ntwo\nthree\n");
  assert.is(output.held, 0);
  // What was gathered goes before what leaves at once.
  output.write("four\n", true);
  output.write("five\n");
  assert.is(its.got.slice(14), "four\nfive\n");
});

test("a busy log gathers for a moment: many turns, few writes, nothing left behind", async () => {
  const its = reader(Number.POSITIVE_INFINITY, 65_536);
  const output = new LogOutput(its.channel, { dropLine });
  const end = performance.now() + 100;
  let lines = 0;
  let turns = 0;
  while (performance.now() < end) {
    output.write("x\n", true);
    lines++;
    turns++;
    await turn();
  }
  await until(() => output.held === 0);
  assert.is(its.got.length, lines * 2);
  assert.ok(its.writes * 5 < turns || turns < 50, `${its.writes} writes in ${turns} turns`);
  // Much at once waits for nothing.
  const { writes } = its;
  for (let i = 0; i < 20; i++) output.write(`${"y".repeat(9999)}\n`, true);
  assert.ok(its.writes > writes);
});

test("what is written whole is lines, as many as fit into what a pipe keeps together", async () => {
  const its = reader(Number.POSITIVE_INFINITY, 20);
  const sizes: number[] = [];
  const { write } = its.channel;
  const channel: NowChannel = {
    ...its.channel,
    write(bytes) {
      sizes.push(bytes.length);
      return write(bytes);
    },
  };
  const output = new LogOutput(channel, { dropLine });
  for (let i = 0; i < 5; i++) output.write("123456789\n", true);
  output.write(`${"x".repeat(50)}\n`, true);
  await turn();
  assert.equal(sizes, [20, 20, 10, 51]);
});

test("a reader that stops costs a bounded queue; lines beyond are dropped, counted and said", async () => {
  const its = reader(25);
  const output = new LogOutput(its.channel, { most: 200, dropLine });
  const before = droppedLines().full;
  for (let i = 10; i < 60; i++) output.write(`line ${i}..\n`);
  assert.ok(output.held <= 200, `${output.held} characters held`);
  const lost = droppedLines().full - before;
  assert.is(its.got.length, 25);
  assert.ok(lost > 20 && lost < 50, `${lost} lines lost`);
  await turn();
  its.room = Number.POSITIVE_INFINITY;
  await until(() => output.held === 0);
  const lines = its.got.split("\n");
  assert.equal(
    lines.slice(0, 50 - lost),
    Array.from({ length: 50 - lost }, (_, i) => `line ${i + 10}..`),
  );
  assert.equal(lines.slice(50 - lost), [`dropped ${lost} full`, ""]);
});

test("a full pipe is asked less and less often, not in a loop", async () => {
  const its = reader(0);
  const output = new LogOutput(its.channel, { dropLine });
  for (let i = 0; i < 1000; i++) output.write("a line\n");
  assert.is(its.writes, 1);
  await turn();
  assert.is(its.writes, 1);
  its.room = 3; // a line in two parts
  await until(() => its.got === "a l");
  its.room = Number.POSITIVE_INFINITY;
  await until(() => output.held === 0);
  assert.is(its.got, "a line\n".repeat(1000));
});

test("short writes lose and repeat nothing, in no encoding", async () => {
  for (const most of [1, 2, 3, 7, 64]) {
    const its = reader(Number.POSITIVE_INFINITY, 16);
    its.most = most;
    const output = new LogOutput(its.channel, { dropLine });
    const text = Array.from({ length: 30 }, (_, i) => `größe ✨😀 ${i}\n`);
    for (const line of text) output.write(line, true);
    await turn();
    assert.is(Buffer.from(its.got, "latin1").toString("utf8"), text.join(""));
  }
});

test("a disk that is full costs the lines that met it; later ones are written again, and the loss is said", () => {
  const its = reader();
  const output = new LogOutput(its.channel, { dropLine });
  const before = droppedLines().failed;
  its.fails = true;
  output.write("lost 1\n");
  output.write("lost 2\n");
  assert.is(its.writes, 2, "no loop");
  assert.is(output.held, 0);
  its.fails = false;
  output.write("kept\n");
  assert.is(its.got, "kept\ndropped 2 failed\n");
  assert.is(droppedLines().failed - before, 2);
});

test("the end of the process writes what the reader takes, and waits for it within a bound", () => {
  const its = reader(10);
  const output = new LogOutput(its.channel, { dropLine });
  for (let i = 0; i < 10; i++) output.write("123456789\n", true);
  const began = performance.now();
  output.close();
  assert.is(its.got, "123456789\n");
  const took = performance.now() - began;
  assert.ok(took >= 499 && took < 10_000, `${took} ms`);
  its.room = Number.POSITIVE_INFINITY;
  // Of somebody else's exit listener.
  output.write("the last\n");
  assert.is(its.got, `${"123456789\n".repeat(10)}the last\n`);
});

test("a file is written on another thread, one write at a time, and at the end by this one", async () => {
  const got: string[] = [];
  let finish: ((error: Error | null, written: number) => void) | undefined;
  const channel: LaterChannel = {
    kind: "later",
    unit: 64,
    write(bytes, done) {
      assert.is(finish, undefined, "one write in flight");
      got.push(Buffer.from(bytes).toString());
      finish = (error, written) => {
        finish = undefined;
        done(error, written);
      };
    },
    arrived: () => true,
    writeSync(bytes) {
      got.push(`sync ${Buffer.from(bytes)}`);
      return bytes.length;
    },
  };
  const output = new LogOutput(channel, { dropLine });
  output.write("one\n");
  output.write("two\n");
  output.write("three\n");
  assert.equal(got, ["one\n"]);
  finish?.(null, 4);
  assert.equal(got, ["one\n", "two\nthree\n"]);
  finish?.(null, 4); // short
  assert.equal(got, ["one\n", "two\nthree\n", "three\n"]);
  output.write("four\n");
  finish?.(Object.assign(new Error("no space"), { code: "ENOSPC" }), 0);
  assert.is(got.at(-1), "four\n");
  output.write("five\n");
  output.close();
  assert.equal(got.slice(-2), ["sync five\n", "sync dropped 2 failed\n"]);
  output.write("six\n");
  assert.is(got.at(-1), "sync six\n");
});

test.run();

/** One kind of message comes so often at most; what was left out is counted and said. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replaceClock } from "../../src/runtime/clock.ts";
import { type LogEntry, logError, logEvent, logLine, replaceLog } from "../../src/runtime/log.ts";
import { droppedLines, MessageRate, TokenBucket } from "../../src/runtime/log-rate.ts";

/** Runs `work` with a clock that it sets, and gives what was logged. */
function logged(work: (at: (ms: number) => void) => void): LogEntry[] {
  const entries: LogEntry[] = [];
  let now = 1000;
  const restoreClock = replaceClock(() => now);
  const restoreLog = replaceLog((entry) => void entries.push(entry));
  try {
    work((ms) => {
      now = 1000 + ms;
    });
  } finally {
    restoreLog();
    restoreClock();
  }
  return entries;
}

test("a flood of one kind: 50 at once, then 5 a second, the rest counted", () => {
  const before = droppedLines().rate;
  const entries = logged((at) => {
    for (let i = 0; i < 1000; i++) logLine(`client 10.0.0.${i % 256}:${i} is too slow`);
    at(10_000);
    for (let i = 0; i < 1000; i++) logLine(`client 10.0.0.${i % 256}:${i} is too slow`);
  });
  assert.is(entries.length, 100);
  assert.is(droppedLines().rate - before, 1900);
});

test("a steady 100 a second: 5 of them are written", () => {
  const entries = logged((at) => {
    for (let ms = 0; ms < 100_000; ms += 10) {
      at(ms);
      logError("it failed steadily", new Error("x"));
    }
  });
  assert.ok(entries.length >= 540 && entries.length <= 560, `${entries.length} lines in 100 s`);
});

test("another kind is not held back by it", () => {
  const entries = logged(() => {
    for (let i = 0; i < 100; i++) logEvent("warn", "noise", { i });
    logEvent("info", "signal", { a: 1 });
  });
  assert.is(entries.length, 51);
  assert.equal(entries[50], { level: "info", message: "signal", fields: { a: 1 } });
});

test("kinds are bounded: messages that are all different share a bucket, until some have been quiet", () => {
  const word = (i: number) => [...String(i)].map((digit) => "abcdefghij"[Number(digit)]).join("");
  const rate = new MessageRate(() => {});
  const flood = (from: number) => {
    let admitted = 0;
    for (let i = 0; i < 5000; i++) if (rate.admits({ level: "warn", message: `new ${word(from + i)}` })) admitted++;
    return admitted;
  };
  logged((at) => {
    assert.is(flood(0), 256 + 50);
    at(2000);
    assert.is(flood(10_000), 10);
    at(60_000);
    assert.not(flood(20_000) < 250);
  });
});

test("what was left out is said, once in a while", async () => {
  const said = Promise.withResolvers<LogEntry>();
  const { setTimeout } = globalThis;
  let waited = 0;
  // The report comes after five seconds; this test does not wait for them.
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    waited = ms;
    return setTimeout(work, 0);
  }) as typeof setTimeout;
  const rate = new MessageRate(said.resolve);
  const entry: LogEntry = { level: "error", message: "the handler failed" };
  let admitted = 0;
  try {
    for (let i = 0; i < 70; i++) if (rate.admits(entry)) admitted++;
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.is(admitted, 50);
  setTimeout(() => said.reject(new Error("nothing was said")), 30_000).unref();
  const alive = setInterval(() => {}, 1000); // the report's timer keeps nobody alive
  const report = await said.promise.finally(() => clearInterval(alive));
  assert.is(waited, 5000);
  assert.is(report.level, "error");
  assert.match(report.message, /^20 more lines like this one were dropped in 5 s.*: the handler failed$/);
});

test("a bucket gives what its rate gives, whatever the steps", () => {
  for (const step of [0.1, 1, 7, 99, 1500]) {
    const bucket = new TokenBucket(10, 10, 0);
    let taken = 0;
    for (let now = 0; now < 60_000; now += step) for (let i = 0; i < 40; i++) if (bucket.take(now)) taken++;
    const most = step > 1000 ? 10 * Math.ceil(60_000 / step) : 610;
    assert.ok(taken <= most && taken >= most - 20, `${taken} of ${most} with steps of ${step} ms`);
  }
});

test("a sink that throws stops nobody, and is counted", () => {
  const before = droppedLines().failed;
  const restore = replaceLog(() => {
    throw new Error("no log");
  });
  try {
    logLine("into the void");
  } finally {
    restore();
  }
  assert.is(droppedLines().failed - before, 1);
});

test.run();

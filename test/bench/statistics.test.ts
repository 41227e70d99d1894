// What rounds allow to be said, held against tables of Wilcoxon's signed ranks and
// against intervals worked out by hand.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { median, ratioInterval, verdict } from "../../scripts/bench/statistics.ts";

const test = suite("statistics");

test("median of odd and even counts", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([7]), 7);
});

test("fewer than eight pairs cannot say anything with 99 %", () => {
  assert.is(ratioInterval([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 0.99), null);
  assert.is(ratioInterval([], 0.99), null);
  assert.ok(ratioInterval([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 0.99));
  // Six are enough for 95 %: 2 of 64 ways are more extreme than none.
  assert.is(ratioInterval([2, 2, 2, 2, 2], 0.95), null);
  assert.ok(ratioInterval([2, 2, 2, 2, 2, 2], 0.95));
});

test("eight pairs span all that was seen", () => {
  const ratios = [1.02, 0.97, 1.11, 1.05, 0.99, 1.01, 1.07, 1.03];
  const interval = ratioInterval(ratios, 0.99);
  assert.ok(interval);
  assert.ok(Math.abs((interval?.low ?? 0) - 0.97) < 1e-12);
  assert.ok(Math.abs((interval?.high ?? 0) - 1.11) < 1e-12);
});

test("as many averages are left out as the tables of the signed-rank test say", () => {
  // Ratios 2^(1, 10, 100, …): all averages differ, so the bound names its place among them.
  for (const [n, confidence, critical] of [
    [10, 0.95, 8],
    [12, 0.95, 13],
    [20, 0.95, 52],
    [12, 0.99, 7],
    [20, 0.99, 37],
  ] as const) {
    const logs = Array.from({ length: n }, (_, i) => 1.37 ** i);
    const averages = logs.flatMap((a, i) => logs.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b);
    const interval = ratioInterval(
      logs.map((log) => Math.exp(log / 1000)),
      confidence,
    );
    // The table's critical value is the largest sum that is still significant: so many may lie below the bound.
    assert.ok(Math.abs(Math.log(interval?.low ?? 0) * 1000 - averages[critical]) < 1e-6, `n ${n}, ${confidence}`);
    assert.ok(Math.abs(Math.log(interval?.high ?? 0) * 1000 - (averages.at(-1 - critical) ?? 0)) < 1e-6);
  }
});

test("a verdict needs the whole interval on one side", () => {
  assert.is(verdict({ low: 0.9, middle: 0.95, high: 0.99 }), "better");
  assert.is(verdict({ low: 1.01, middle: 1.1, high: 1.2 }), "worse");
  assert.is(verdict({ low: 0.99, middle: 1.1, high: 1.2 }), "same");
  assert.is(verdict({ low: 1, middle: 1, high: 1 }), "same");
});

test("two equal things are seldom told apart, different ones are", () => {
  // A small generator of our own, so that every run has the same numbers.
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const noise = (): number => Math.exp((random() + random() + random() - 1.5) * 0.2);
  let wrong = 0;
  for (let i = 0; i < 1000; i++) {
    const interval = ratioInterval(Array.from({ length: 8 }, noise), 0.99);
    if (interval && verdict(interval) !== "same") wrong++;
  }
  assert.ok(wrong <= 20, `${wrong} of 1000`);
  const slower = ratioInterval(
    Array.from({ length: 8 }, () => noise() * 1.5),
    0.99,
  );
  assert.is(slower && verdict(slower), "worse");
});

test.run();

// Durations, sizes, rates and counts: how people write them, their bounds, and the sentence when they are something else.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseDuration } from "../../src/options/duration.ts";
import { defaultLimits, type LimitOptions, limitNames, limitOptions, readLimits } from "../../src/options/limits.ts";
import { parseSize } from "../../src/options/size.ts";
import { limitTable, optionTable } from "../../src/options/table.ts";
import { readValue, showValue } from "../../src/options/value.ts";

test("durations", () => {
  const all: [number | string, number][] = [
    [1, 1],
    [30_000, 30_000],
    ["30000", 30_000],
    ["500ms", 500],
    ["30s", 30_000],
    [" 30s ", 30_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1m30s", 90_000],
    ["1.5s", 1500],
    ["1h0.5m", 3_630_000],
    ["none", Number.POSITIVE_INFINITY],
    ["NONE", Number.POSITIVE_INFINITY],
    ["576h", 2_073_600_000],
  ];
  for (const [written, ms] of all) assert.is(parseDuration(written, "x"), ms, String(written));
});

test("what is no duration", () => {
  for (const bad of [
    "",
    " ",
    "s",
    "-1s",
    "1 s",
    "1d",
    "1e3",
    "0x10",
    "30S",
    "1s ago",
    "auto",
    "Infinity",
    "577h",
    ".5s",
  ]) {
    assert.throws(() => parseDuration(bad, "--x"), /^--x must be a duration like "30s", "2m" or 30000/, bad);
  }
  for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    assert.throws(() => parseDuration(bad, "--x"), /must be a duration .*, not /, String(bad));
  }
});

test("sizes", () => {
  const all: [number | string, number][] = [
    [512, 512],
    ["512", 512],
    ["512B", 512],
    ["1KiB", 1024],
    ["64 KiB", 65536],
    ["1MiB", 1_048_576],
    ["1mib", 1_048_576],
    ["1.5MiB", 1_572_864],
    ["10MB", 10_000_000],
    ["1kB", 1000],
    ["1GiB", 2 ** 30],
    ["none", Number.POSITIVE_INFINITY],
  ];
  for (const [written, bytes] of all) assert.is(parseSize(written, "x"), bytes, String(written));
});

test("what is no size", () => {
  // 1M: a million or 1024²? Nobody has to guess.
  for (const bad of ["", "1M", "1K", "1k", "MiB", "-1MiB", "1TiB", "1 024", "1,5MB", "1iB", "2000GiB"]) {
    assert.throws(() => parseSize(bad, "--x"), /^--x must be a size like "1MiB", "10MB" or 65536/, bad);
  }
});

test("0 is never none by accident", () => {
  for (const zero of [0, "0", "0s", "0ms", "0.0s"]) {
    assert.throws(() => parseDuration(zero, "--x"), /^--x must not be 0: write "none" for no limit$/);
  }
  for (const zero of [0, "0", "0MiB"]) assert.throws(() => parseSize(zero, "--x"), /write "none" for no limit/);
});

test("where 0 has a meaning it is taken", () => {
  const { minRate, drainDelay, drainIdle } = readLimits({ minRate: 0, drainDelay: "0s", drainIdle: "0" }, "x");
  assert.equal([minRate, drainDelay, drainIdle], [0, 0, 0]);
});

test("every limit: its default, both its bounds and what lies beyond", () => {
  for (const { name, kind, bounds, default: normal } of limitTable) {
    const read = (value: unknown) => readLimits({ [name]: value } as LimitOptions, "the test")[name];
    assert.is(defaultLimits[name], normal, name);
    assert.is(readLimits({}, "x")[name], normal, name);
    assert.is(readLimits({ [name]: undefined }, "x")[name], normal, name);
    assert.is(read(bounds.min), bounds.min, name);
    assert.is(read(bounds.max), bounds.max, name);
    const named = new RegExp(`^${name} of the test must`);
    assert.throws(() => read(bounds.max + 1), named, name);
    assert.throws(() => read(-1), named, name);
    assert.throws(() => read({}), named, name);
    assert.throws(() => read(true), named, name);
    assert.throws(() => read(null), named, name);
    if ("zero" in bounds) assert.is(read(0), 0, name);
    else assert.throws(() => read(0), /must not be 0/, name);
    if ("none" in bounds) assert.is(read("none"), Number.POSITIVE_INFINITY, name);
    else assert.throws(() => read("none"), named, name);
    if (kind !== "duration" && "auto" in bounds) assert.is(read("auto"), 0, name);
    else assert.throws(() => read("auto"), named, name);
  }
});

test("limits that were read can be written again", () => {
  const options = { readTimeout: "none", maxConnections: "auto", maxBodyBytes: "1MiB", drainDelay: 0, minRate: 0 };
  const limits = readLimits(options, "x");
  assert.equal(readLimits(limitOptions(limits), "x"), limits);
  assert.equal(limitOptions({ readTimeout: 5 }), { readTimeout: 5 });
  assert.is(limitNames.length, limitTable.length);
});

test("what is shown is read again as the same", () => {
  for (const option of optionTable) {
    if (!("bounds" in option)) continue;
    for (const value of [
      option.default,
      option.bounds.min,
      option.bounds.max,
      option.bounds.min + 1,
      90_000 % option.bounds.max,
    ]) {
      const shown = showValue(option, value);
      assert.is(readValue(option, shown, "x", false), value, `${option.name}: ${shown}`);
    }
  }
});

test("shown as people say it", () => {
  const shown = (name: string, value: number) => {
    const option = optionTable.find((one) => one.name === name);
    return option === undefined ? undefined : showValue(option, value);
  };
  assert.is(shown("readTimeout", 30_000), "30s");
  assert.is(shown("readTimeout", 90_000), "90s");
  assert.is(shown("readTimeout", 300_000), "5m");
  assert.is(shown("readTimeout", 7_200_000), "2h");
  assert.is(shown("readTimeout", 1_500), "1500ms");
  assert.is(shown("readTimeout", Number.POSITIVE_INFINITY), "none");
  assert.is(shown("maxBodyBytes", 65_536), "64KiB");
  assert.is(shown("maxBodyBytes", 10_000_000), "10MB");
  assert.is(shown("maxBodyBytes", 1001), "1001B");
  assert.is(shown("minRate", 4096), "4KiB/s");
  assert.is(shown("minRate", 0), "0");
  assert.is(shown("maxConnections", 0), "auto");
});

test.run();

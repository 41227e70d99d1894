// What --save keeps: samples, plots and one page, from results made up here.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Peer } from "../../scripts/bench/peer.ts";
import { loadQuestions } from "../../scripts/bench/questions.ts";
import type { Result } from "../../scripts/bench/rounds.ts";
import { keep, writePage } from "../../scripts/bench/save.ts";
import { barPlot, overviewPlot } from "../../scripts/bench/svg.ts";

const test = suite("bench --save");
const directory = mkdtempSync(join(tmpdir(), "slipway-bench-save-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

const peer = (name: string, version?: string): Peer => ({
  name,
  version: version === undefined ? undefined : () => version,
  launch: () => ({ missing: "never started" }),
});

function result(question: string, values: Record<string, number>, extra: Partial<Result> = {}): Result {
  return {
    question,
    title: "made <up> & measured",
    unit: "CPU µs/request",
    better: "lower",
    rounds: 2,
    seconds: 1,
    peers: Object.entries(values).map(([name, value]) => ({
      peer: name,
      samples: [{ value, extra: { rate: 1 / value } }],
      median: value,
      min: value * 0.9,
      max: value * 1.1,
      spread: 1.22,
      ratio: Object.fromEntries(
        Object.entries(values)
          .filter(([other]) => other !== name)
          .map(([other, theirs]) => [other, value / theirs]),
      ),
      extra: { rate: 1 / value, busy: 99.123456, p50: 1, p99: 2 },
    })),
    missing: {},
    failed: {},
    otherLoad: 0,
    ...extra,
  };
}

test("samples, a plot a question, and a page with every table", async () => {
  const [plaintext, parallel] = await loadQuestions(["plaintext", "parallel"]);
  const peers = [peer("slipway", "abc1234"), peer("deno", "2.9.6"), peer("c"), peer("go", "1.19")];
  const first = result(
    "plaintext",
    { slipway: 3.123456789, deno: 4, c: 2 },
    {
      missing: { go: "no Go compiler here" },
      failed: { bun: "/home/somebody/project/bun run /tmp/x/bun.mjs: it ended" },
    },
  );
  keep(plaintext, first, peers, directory);
  keep(parallel, result("parallel", { slipway: 100, deno: 50 }, { better: "higher" }), peers, directory);
  const page = await writePage(directory);
  assert.equal(readdirSync(directory).sort(), [
    "README.md",
    "overview.svg",
    "parallel.json",
    "parallel.svg",
    "plaintext.json",
    "plaintext.svg",
  ]);
  const text = readFileSync(page, "utf8");
  assert.match(text, /slipway abc1234, deno 2\.9\.6/);
  assert.match(text, /^## plaintext$/m);
  assert.match(text, /^\| slipway \| 3\.12 \| 2\.81 \| 1\.22 \| 0\.78 \| 1\.56 \| /m);
  assert.match(text, /^- left out: go: no Go compiler here$/m);
  assert.match(text, /^- failed: bun: … run …: it ended$/m);
  assert.match(text, /^- noisy: slipway's rounds differ by 1\.22×/m);
  assert.ok(text.indexOf("## plaintext") < text.indexOf("## parallel"), "in the order of the tables");
  const json = readFileSync(join(directory, "plaintext.json"), "utf8");
  assert.not.match(json, /somebody|\/tmp/);
  assert.match(json, /"value":3\.123[,}]/, "four digits");
});

test("a page made again keeps what was not measured again", async () => {
  const [json] = await loadQuestions(["json"]);
  keep(json, result("json", { slipway: 5, deno: 10 }), [], directory);
  const text = readFileSync(await writePage(directory), "utf8");
  for (const name of ["plaintext", "json", "parallel"]) assert.match(text, new RegExp(`^## ${name}$`, "m"));
});

test("plots are XML whose text is escaped and whose numbers are finite", () => {
  const bars = [
    { name: "slipway", value: 1, min: 0.9, max: 1.2, digits: 2 },
    { name: "c", value: 0, min: 0, max: 0, digits: 2 },
  ];
  for (const plot of [
    barPlot("a < b & c", "µs", bars),
    barPlot("none", "µs", []),
    overviewPlot("all", [{ name: "plaintext", ratios: { deno: 0.5, c: 1.5, bun: Number.NaN, mine: 1, go: 0 } }]),
    overviewPlot("none", []),
  ]) {
    assert.not.match(plot, /NaN|Infinity|undefined|& |a </);
    const opened = [...plot.matchAll(/<(svg|text|title)\b/g)].length;
    const closed = [...plot.matchAll(/<\/(svg|text|title)>/g)].length;
    assert.is(opened, closed);
  }
});

test.run();

// time limit: 240 s
// `slipway test`: says the same of the same tests as Deno, and loses no result whatever a test does to its process.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, type Finished, repository, run, start, temporaryFolder } from "../support/process.ts";
import { agreed, ours, outcomes, writeFiles } from "./fixtures.ts";

const slipway = await slipwayBinary();
const env = { NO_COLOR: "1" };
const deno = join(repository, "node_modules/.bin/deno");

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return folder;
}

const testIn = (cwd: string, ...args: string[]): Promise<Finished> => run([slipway, "test", ...args], { cwd, env });

test("each test and step ends as under deno test, and the counts and the exit code are the same", async () => {
  const folder = folderWith(agreed);
  const [theirs, mine] = await Promise.all([
    run([deno, "test", "-A", "--no-check"], { cwd: folder, env }),
    testIn(folder, "--parallel=2", "--junit-path", "out/junit.xml"),
  ]);
  const [expected, found] = [theirs, mine].map(({ stdout }) => outcomes(stdout));
  assert.equal(found.each, expected.each);
  assert.is(found.counts, expected.counts);
  assert.is(mine.code, theirs.code);
  assert.is(mine.stderr, "");
  // Files are shown one after the other, in their order, though two ran at a time.
  const files = [...mine.stdout.matchAll(/^(?:running .* from|Uncaught error from) (\S+)/gm)].map(([, file]) => file);
  assert.equal(files, [...files].sort());
  // What a test writes stands inside of it.
  assert.match(
    mine.stdout,
    /steps \.\.\.\n-+ output -+\na line of the test's own\n-+ output end -+\n {2}first \.\.\. ok/,
  );
  // Failures tell where, with the line.
  assert.match(
    mine.stdout,
    /\na step fails \.\.\. bad => \.\/steps_test\.ts:\d+:\d+\nerror: Error: bad step\n.*throw new Error\("bad step"\).*\n +\^\n {4}at .*\/steps_test\.ts:\d+:\d+\n\n/,
  );
  assert.match(mine.stdout, /error: Error: outer\n[\s\S]*?Caused by: TypeError: inner\n {4}at /);
  assert.match(mine.stdout, /waits for nothing => .*\nerror: Promise resolution is still pending but the event loop/);
  assert.match(mine.stdout, /never lets go => .*\nerror: Test timed out after 60ms\./);
  // Leaks tell where they began, in the place that they name.
  const source = readFileSync(join(folder, "leaks_test.ts"), "utf8").split("\n");
  for (const [name, call] of Object.entries({
    "a timer": "setTimeout(",
    "a listener": "listen(",
    "a server": "serve(",
    "a connection": "connect(",
    "a file": "open(",
    "a file, at once": "openSync(",
    "a process": "spawn(",
    "a signal": "addSignalListener(",
  })) {
    const told = new RegExp(
      `^${name} => .*\\nerror: Leaks detected:\\n {2}- .*\\n {6}at .*leaks_test\\.ts:(\\d+):(\\d+)$`,
      "m",
    );
    const [, line, column] = told.exec(mine.stdout) ?? assert.unreachable(`${name}\n${mine.stdout}`) ?? [];
    assert.ok(source[Number(line) - 1].slice(Number(column) - 1).startsWith(call), `${name}: ${line}:${column}`);
  }
  const xml = readFileSync(join(folder, "out/junit.xml"), "utf8");
  const tests = found.each.length;
  assert.is(xml.match(/<testcase /g)?.length, tests);
  assert.match(
    xml,
    new RegExp(`^<\\?xml version="1.0" encoding="UTF-8"\\?>\\n<testsuites name="slipway test" tests="${tests}" `),
  );
  assert.match(xml, /name="steps &gt; outer &gt; inner"/);
  assert.match(xml, /<failure message="Error: bad step">Error: bad step\n/);
});

test("nothing is lost of a file whose process ends, aborts or hangs, which does not load or fails late", async () => {
  const { code, stdout } = await testIn(folderWith(ours));
  assert.is(code, 1);
  for (const line of [
    "Uncaught error from ./ends-at-load_test.ts FAILED",
    "ends the process ... FAILED",
    "  aborts ... FAILED",
    "steps ... FAILED (due to 1 failed step)",
    "is stuck behind an await ... FAILED",
    "starts something ... ok",
    "is running then ... cancelled",
    "Uncaught error from ./syntax_test.ts FAILED",
    "works all the same ... ok",
    "imports a snapshot ... ok",
    "unloaded",
  ]) {
    assert.ok(
      stdout.split("\n").some((one) => one.startsWith(line)),
      `${line}\n${stdout}`,
    );
  }
  for (const pattern of [
    /\.\/ends-at-load_test\.ts \(uncaught error\)\nerror: the process of this file ended \(exit code 0\) before/,
    /ends the process => .*\nerror: the process of this file ended \(exit code 0\) while this ran/,
    /\.\/ends_test\.ts\nerror: 1 test of this file could not run any more/,
    /steps \.\.\. aborts => .*\nerror: the process of this file ended \(SIGABRT\) while this ran/,
    /is stuck behind an await => .*\nerror: Test timed out after 400ms, and did not let go of its process/,
    /\.\/late_test\.ts \(uncaught error\)\nerror: Error: too late\n/,
    /syntax_test\.ts:1:11: Unexpected ";"\n {2}1 \| const x = ;\n/,
    /missing_test\.ts:1:8: Could not resolve "\.\/not-there\.ts": no such file/,
    /The task "forever" was started in this test.*\n {6}at .*task_test\.ts:4:\d+/,
    /A response of fetch was received during the test.*\n {6}at .*task_test\.ts:7:\d+/,
    /A file was opened during the test.*\n {6}at .*task_test\.ts:9:\d+/,
    /expects a refusal => .*\nerror: .*\n\(the test asks for the permissions none; Slipway has no permissions/,
    /note: 2 tests ask for permissions; Slipway has none/,
    /\nFAILED \| 5 passed \| 15 failed \(1 step\) \(/,
  ]) {
    assert.match(stdout, pattern);
  }
});

test("which tests, in which order: --filter, only, --shuffle, --fail-fast, arguments; TAP", async () => {
  const list = (names: string) => [...names].map((name) => `Deno.test("${name}", () => {});`).join("\n");
  const folder = folderWith({
    "a_test.ts": `${list("abcdefgh")}\nDeno.test("x # y", async (t) => { await t.step("s", () => {}); throw new Error("no\\nyes"); });`,
    "b_test.ts": `Deno.test.only("only", () => { if (Deno.args.join() !== "--its,own") throw new Error(Deno.args.join()); });\n${list("xy")}`,
  });
  const [text, pattern, only, one, again, fast, tap] = await Promise.all([
    testIn(folder, "a_test.ts", "--filter", "c"),
    testIn(folder, "a_test.ts", "--filter", "/^[a-c]$/"),
    testIn(folder, "b_test.ts", "--", "--its", "own"),
    testIn(folder, "a_test.ts", "--shuffle=7", "--reporter=tap"),
    testIn(folder, "a_test.ts", "--shuffle=7", "--reporter=tap"),
    testIn(folder, "a_test.ts", "b_test.ts", "--fail-fast", "--reporter", "dot"),
    testIn(folder, "a_test.ts", "--reporter=tap", "--filter", "/a|#/"),
  ]);
  assert.match(
    text.stdout,
    /running 1 test from \.\/a_test\.ts\nc \.\.\. ok[\s\S]*\nok \| 1 passed \| 0 failed \| 8 filtered out/,
  );
  assert.match(pattern.stdout, /\nok \| 3 passed \| 0 failed \| 6 filtered out/);
  assert.is(only.code, 1);
  assert.match(
    only.stdout,
    /\nok \| 1 passed \| 0 failed \| 2 filtered out [\s\S]*error: Test failed because the "only" option was used/,
  );
  const order = one.stdout.match(/^ok \d+ - \w$/gm)?.join();
  assert.is(order, again.stdout.match(/^ok \d+ - \w$/gm)?.join());
  assert.is.not(order?.replace(/[^a-h]/g, ""), "kkkkkkkk");
  assert.match(fast.stdout, /^\.{8}\.!\n[\s\S]*\nFAILED \| 8 passed \(1 step\) \| 1 failed \(/);
  assert.match(
    tap.stdout,
    /^TAP version 14\n# \.\/a_test\.ts\nok 1 - a\n# Subtest: x \\# y\n {4}ok 1 - s\n {4}1\.\.1\nnot ok 2 - x \\# y\n {2}---\n {2}(\{.*\})\n {2}\.\.\.\n1\.\.2\n$/,
  );
  const diagnostic = JSON.parse(/^ {2}(\{.*\})$/m.exec(tap.stdout)?.[1] ?? "") as { message: string; severity: string };
  assert.match(diagnostic.message, /^Error: no\nyes\n/);
});

test("coverage: the lines of the TypeScript that ran, as a table and for lcov", async () => {
  const folder = folderWith({
    "lib.ts": `
    export interface Shape { readonly a: number }

    export function used(a: number): number {
      if (a > 100) {
        return 1;
      }
      return a as number;
    }

    export function unused(): void {
      console.log("never");
    }
    export const here = import.meta.url;
    `,
    "lib_test.ts": `
    import { used } from "./lib.ts";
    Deno.test("uses it", () => { used(1); });
    `,
    "node_test.ts": `
    import { test } from "node:test";
    import { used } from "./lib.ts";
    test("uses it too", () => { used(2); });
    `,
  });
  const [all, less] = await Promise.all([
    testIn(folder, "--coverage=cov"),
    testIn(folder, "--coverage-threshold", "80", "--reporter=tap"),
  ]);
  assert.is(all.code, 0);
  assert.match(all.stdout, /\n\| lib\.ts +\| +0\.0 \| +50\.0 \| +\d+\.\d \| 5-6, 10-12\n\| All files/);
  const lcov = readFileSync(join(folder, "cov/lcov.info"), "utf8");
  assert.ok(lcov.startsWith(`SF:${join(folder, "lib.ts")}\n`), lcov);
  for (const line of ["FN:3,used", "FNDA:2,used", "FNDA:0,unused", "DA:4,2", "DA:5,0", "DA:7,2", "DA:11,0"]) {
    assert.ok(lcov.includes(`${line}\n`), `${line}\n${lcov}`);
  }
  assert.not.match(lcov, /_test\.ts|DA:1,/);
  assert.is(less.code, 1);
  assert.match(less.stderr, /of the lines ran, less than the 80% that --coverage-threshold asks for/);
  assert.match(less.stdout, /^TAP version 14\n[\s\S]*\n1\.\.2\n$/);
});

test("--watch runs again on save what the save changed, and heals; Ctrl-C names the test that runs", async () => {
  const folder = folderWith({
    "lib.ts": "export const answer = 41;\n",
    "a_test.ts":
      'import { answer } from "./lib.ts";\nDeno.test("the answer", () => { if (answer !== 42) throw new Error("it is " + answer); });\n',
    "b_test.ts": 'Deno.test("another file", () => {});\n',
  });
  const watching = start([slipway, "test", "--watch"], { cwd: folder, env });
  await watching.saw(/error: Error: it is 41[\s\S]*FAILED \| 1 passed \| 1 failed/);
  await watching.saw(/waiting for a change/);
  writeFileSync(join(folder, "lib.ts"), "export const answer = ;\n");
  await watching.saw(/lib\.ts:1:23: Unexpected ";"/);
  await watching.saw(/waiting for a change[\s\S]*waiting for a change/);
  writeFileSync(join(folder, "lib.ts"), "export const answer = 42;\n");
  // Only what was changed ran.
  await watching.saw(/\nok \| 1 passed \| 0 failed \(/);
  writeFileSync(
    join(folder, "b_test.ts"),
    'Deno.test("is stuck", async (t) => { await t.step("in a loop", () => { for (;;); }); });\n',
  );
  await watching.saw(/ {2}in a loop \.\.\./);
  const { code, stdout } = await watching.stop("SIGINT");
  assert.is(code, 130);
  assert.match(stdout, /interrupted while this was running:\n {2}is stuck \.\.\. in a loop => \.\/b_test\.ts:1:\d+\n/);
});

test("mistakes in the command line", async () => {
  const folder = folderWith({ "x.ts": "export {};" });
  const cases: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
    [[], 1, /^slipway: no test files here or below: they are called test\.ts, name_test\.ts or name\.test\.ts/],
    [["--permit-no-files"], 0, /^$/],
    [["nothing_test.ts"], 1, /^slipway: there is no file nothing_test\.ts/],
    [["--filter", "/(/"], 2, /^slipway: --filter \/\(\/: Invalid regular expression/],
    [["--reporter", "fancy"], 2, /^slipway: there is no reporter 'fancy': choose one of pretty, dot, tap, junit/],
    [["--fail-fast=none"], 2, /^slipway: --fail-fast=none: a whole number of at least 1 is needed/],
    [["--doc"], 2, /^slipway: --doc is not supported/],
    [["--no-run", "x.ts"], 0, /^$/],
  ];
  const ended = await Promise.all(cases.map(([args]) => testIn(folder, ...args)));
  for (const [index, [args, code, message]] of cases.entries()) {
    assert.is(ended[index].code, code, args.join(" "));
    assert.match(ended[index].stderr, message);
  }
});

test("slipway bench: forms, groups, failures; JSON", async () => {
  const folder = folderWith({
    "x_bench.ts": `
    const quick = { n: 10, warmup: 1 };
    Deno.bench("plain", quick, () => { JSON.parse("[1]"); });
    Deno.bench({ name: "base", group: "g", baseline: true, ...quick, fn() {} });
    Deno.bench({ name: "other", group: "g", ...quick }, async () => { await null; });
    Deno.bench({ name: "timed", ...quick, fn(b) { b.start(); JSON.parse("[1]"); b.end(); } });
    Deno.bench("fails", () => { throw new Error("no bench"); });
    Deno.bench({ name: "ignored", ignore: true, fn() { throw new Error("never run"); } });
    Deno.test("registers nothing", () => { throw new Error("never run"); });
    `,
  });
  const [table, json] = await Promise.all([
    run([slipway, "bench"], { cwd: folder, env }),
    run([slipway, "bench", "--json", "--filter", "/^(?!fails)/"], { cwd: folder, env }),
  ]);
  assert.is(table.code, 1);
  assert.match(table.stdout, /\n\| benchmark \| time\/iter \(avg\) \| +iter\/s \|/);
  assert.match(table.stdout, /\n\| plain +\| +[\d.]+ [nµm]s \| +[\d,]+ \| \( *[\d.]+ [nµm]s … +[\d.]+ [nµm]s\) \|/);
  assert.match(table.stdout, /\nfails +error: Error: no bench\n.*throw new Error/);
  assert.match(table.stdout, /\ngroup g\n\| base [\s\S]*\nsummary\n {2}base\n +[\d.]+x (?:faster|slower) than other\n/);
  assert.match(table.stdout, /\nerror: Bench failed\n$/);
  assert.is(json.code, 0);
  const { version, benches } = JSON.parse(json.stdout) as {
    version: number;
    benches: {
      name: string;
      group: string | null;
      baseline: boolean;
      results: { ok: Record<string, number | boolean> }[];
    }[];
  };
  assert.is(version, 1);
  assert.equal(
    benches.map(({ name, group, baseline }) => [name, group, baseline]),
    [
      ["plain", null, false],
      ["timed", null, false],
      ["base", "g", true],
      ["other", "g", false],
    ],
  );
  for (const { results } of benches)
    assert.ok(results[0].ok.n === 10 && Number(results[0].ok.min) <= Number(results[0].ok.avg));
  assert.is(benches[1].results[0].ok.usedExplicitTimers, true);
});

test.after(endProcesses);
test.run();

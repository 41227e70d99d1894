// time limit: 240 s
// The runner of `npm test`: what passes, what fails, and the count line that scripts read.
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Finished, repository, run, start, temporaryFolder } from "../support/process.ts";

/** A repository that holds the runner and these test files. */
function repositoryOf(files: Record<string, string>): string {
  const root = temporaryFolder();
  for (const folder of ["scripts", "test/support", "node_modules"]) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, "test/support/kqueue"));
  for (const file of [
    "scripts/test.ts",
    "scripts/uvu-summary.ts",
    "test/support/skip.ts",
    "test/support/kqueue/systems.ts",
    "test/support/kqueue/register.mjs",
  ]) {
    copyFileSync(join(repository, file), join(root, file));
  }
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  symlinkSync(join(repository, "node_modules/uvu"), join(root, "node_modules/uvu"));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(root, "test", `${name}.test.ts`), `${text}\n`);
  }
  return root;
}

const runner = (root: string, ...filters: string[]) =>
  run([process.execPath, join(root, "scripts/test.ts"), ...filters], { cwd: root });
const lastLine = ({ stdout }: Finished) => stdout.trimEnd().split("\n").at(-1);
const use = 'import { test } from "uvu";\nimport * as assert from "uvu/assert";\n';

test("counts what passed, and says so last", async () => {
  const root = repositoryOf({
    one: `${use}test("a", () => {}); test("b", () => {}); test.run();`,
    two: `${use}test("c", () => {}); test.run();`,
  });
  const result = await runner(root, "test/");
  assert.is(result.code, 0, result.stdout);
  assert.is(lastLine(result), "3 passed, 0 failed");
});

test("several suites of one file count together", async () => {
  const root = repositoryOf({
    suites:
      'import { suite } from "uvu"; for (const name of ["x", "y"]) { const s = suite(name); s("t", () => {}); s.run(); }',
  });
  assert.is(lastLine(await runner(root, "test/")), "2 passed, 0 failed");
});

test("a failure is shown in full and fails the run", async () => {
  const root = repositoryOf({
    fails: `${use}test("good", () => {}); test("bad", () => assert.is(1, 2)); test.run();`,
  });
  const result = await runner(root, "test/");
  assert.is(result.code, 1);
  assert.is(lastLine(result), "1 passed, 1 failed");
  assert.match(result.stdout, /FAIL test\/fails\.test\.ts/);
  assert.match(result.stdout, /FAIL {2}"bad"[\s\S]*Expected values to be strictly equal[\s\S]*fails\.test\.ts:3/);
});

test("many are followed by the slowest of them, before the last line; a cache is shared, and gone afterwards", async () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 11; i++) files[`f${i}`] = `${use}test("a", () => {}); test.run();`;
  files.f7 = `${use}test("a", () => new Promise((done) => setTimeout(done, 1500)));
    test("b", () => console.log("cache", process.env.NODE_COMPILE_CACHE)); test("c", () => assert.ok(0)); test.run();`;
  const result = await runner(repositoryOf(files), "test/");
  assert.match(result.stdout, /The slowest of 11, which took \d+ s in \d+ s:\n +[\d.]+ s test\/f7\.test\.ts\n/);
  assert.is(lastLine(result), "12 passed, 1 failed");
  const [, cache] = /cache (\S+)$/m.exec(result.stdout) ?? [];
  assert.ok(cache?.startsWith(tmpdir()), cache);
  assert.not(existsSync(cache));
});

/** Three files, each at work for so long: how many were at once? None need idle for it: what others do here is no matter. */
async function atOnce(ms: number, env: Record<string, string>): Promise<number> {
  const waits = `import { readdirSync, rmSync, writeFileSync } from "node:fs"; ${use}`;
  const count = 'readdirSync(".").filter((each) => each.startsWith("at-work-")).length';
  const files: Record<string, string> = {};
  for (const name of ["a", "b", "c"]) {
    files[name] = `${waits}test("a", async () => {
      writeFileSync("at-work-${name}", "");
      let most = 0;
      for (const end = Date.now() + ${ms}; Date.now() < end; await new Promise((next) => setTimeout(next, 20))) {
        most = Math.max(most, ${count});
      }
      rmSync("at-work-${name}");
      console.log("at once", most);
      assert.ok(false, "so that all it said is shown");
    }); test.run();`;
  }
  const root = repositoryOf(files);
  const { stdout } = await run([process.execPath, join(root, "scripts/test.ts"), "test/"], {
    cwd: root,
    env: { SLIPWAY_TEST_IDLE: "0", ...env },
  });
  return Math.max(...[...stdout.matchAll(/^at once (\d)$/gm)].map(([, seen]) => Number(seen)));
}

test("two are at work, and one more while a core idles", async () => {
  assert.is(await atOnce(3000, {}), 3);
});

test("but never beside a number that was asked for", async () => {
  assert.is(await atOnce(600, { SLIPWAY_TEST_JOBS: "1" }), 1);
});

const broken: Record<string, [string, RegExp]> = {
  "a crash before any test": ['throw new Error("at load");', /exit code 1[\s\S]*at load/],
  "a crash after the summary": [
    `${use}test("a", () => {}); test.run(); setTimeout(() => { throw new Error("late"); }, 100);`,
    /exit code 1[\s\S]*late/,
  ],
  "an exit in the middle": [`${use}test("a", () => process.exit(0)); test.run();`, /Exiting early|no test ran/],
  "a file without tests": ["export {};", /no test ran \(does the file end with test\.run\(\)\?\)/],
  "a forgotten test.run()": [`${use}test("a", () => {});`, /no test ran/],
  "a file that is killed": ['process.kill(process.pid, "SIGKILL");', /ended by SIGKILL/],
  "a skip without a reason": [
    `${use}test("a", () => {}); test.skip("b", () => {}); test.run();`,
    /1 skipped but only 0 said why/,
  ],
  "a file that never ends": [
    `// time limit: 2 s\n${use}test("a", () => {}); test.run(); setInterval(() => {}, 1000);`,
    /not finished after 2 s/,
  ],
};
for (const [name, [source, expected]] of Object.entries(broken)) {
  test(`${name} fails the run`, async () => {
    const result = await runner(repositoryOf({ broken: source }), "test/");
    assert.is(result.code, 1);
    assert.match(result.stdout, expected);
    assert.match(lastLine(result) ?? "", /^\d+ passed, 1 failed/);
  });
}

test("one that is interrupted says what has failed so far", async () => {
  const root = repositoryOf({
    fails: `// time limit: 300 s\n${use}test("bad", () => assert.is(1, 2)); test.run();`,
    waits: `${use}test("a", () => new Promise((done) => setTimeout(done, 60_000))); test.run();`,
  });
  const started = start([process.execPath, join(root, "scripts/test.ts"), "test/"], { cwd: root });
  await started.saw(/FAIL test\/fails\.test\.ts/);
  started.child.kill("SIGTERM");
  const result = await started.finished;
  assert.is(result.code, 1);
  assert.match(result.stdout, /==== test\/fails\.test\.ts[\s\S]*ended by SIGTERM after 1 of 2 files\n/);
  assert.is(lastLine(result), "0 passed, 1 failed");
});

test("what a file leaves running is ended", async () => {
  const root = repositoryOf({
    leaves: `${use}import { spawn } from "node:child_process"; import { writeFileSync } from "node:fs";
      test("a", () => {
        const child = spawn("sleep", ["600"], { stdio: "inherit" });
        writeFileSync("left.pid", String(child.pid));
        child.unref();
      });
      test.run();`,
  });
  const result = await runner(root, "test/");
  assert.is(lastLine(result), "1 passed, 0 failed");
  const left = Number(readFileSync(join(root, "left.pid"), "utf8"));
  // Killed, and gone as soon as its parent has collected it.
  while (running(left)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("a skip with a reason is counted and shown", async () => {
  const root = repositoryOf({
    skips: `${use}import { skip } from "./support/skip.ts";\ntest("a", () => {}); skip(test, "b", "no such system here"); test.run();`,
  });
  const result = await runner(root, "test/");
  assert.is(result.code, 0);
  assert.match(result.stdout, /SKIP b: no such system here/);
  assert.is(lastLine(result), "1 passed, 0 failed, 1 skipped");
});

test("filters choose files; one that matches nothing fails", async () => {
  const root = repositoryOf({
    one: `${use}test("a", () => {}); test.run();`,
    two: `${use}test("b", () => assert.unreachable()); test.run();`,
  });
  assert.is(lastLine(await runner(root, "one")), "1 passed, 0 failed");
  const nothing = await runner(root, "three");
  assert.is(nothing.code, 1);
  assert.match(nothing.stderr, /no test matches three/);
});

const opens = 'console.log("poller:", process.env.SLIPWAY_POLLER ?? "any");';
for (const [name, module, both] of [
  ["works", "export const openPoller = () => ({ poller: { dispose() {} } });", true],
  ["is refused", 'export const openPoller = () => { throw new Error("not here"); };', false],
] as const) {
  test(`where io_uring ${name}: what stands on the poller runs on ${both ? "both" : "epoll"} and on a played system, the rest once`, async () => {
    const root = repositoryOf({});
    for (const folder of ["ffi", "test/net", "test/log"]) mkdirSync(join(root, folder));
    writeFileSync(join(root, "ffi/poller.ts"), module);
    // Shown of a file only when it fails.
    const failing = `${use}${opens} test("a", () => assert.unreachable()); test.run();`;
    for (const file of ["net/conn", "net/ip", "log/ids"]) writeFileSync(join(root, `test/${file}.test.ts`), failing);
    const { stdout } = await runner(root, "test/");
    const ran = [...stdout.matchAll(/^==== (.+): exit code 1\npoller: (.+)$/gm)].map(
      ([, file, poller]) => `${file} ${poller}`,
    );
    const uring = both ? ["test/net/conn.test.ts uring"] : [];
    const rest = [
      "test/log/ids.test.ts any",
      "test/net/conn.test.ts [epoll] epoll",
      "test/net/conn.test.ts [kqueue-darwin] kqueue",
      "test/net/ip.test.ts any",
    ];
    assert.equal(ran.sort(), [...rest, ...uring].sort());
    assert.is(stdout.includes("io_uring is not tested, this machine refuses it: not here"), !both);
  });
}

test("types and lint count as a test each", async () => {
  const root = repositoryOf({ one: `${use}test("a", () => {}); test.run();` });
  mkdirSync(join(root, "node_modules/.bin"));
  writeFileSync(join(root, "node_modules/.bin/tsc"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  writeFileSync(join(root, "node_modules/.bin/biome"), "#!/bin/sh\necho lint found this\nexit 1\n", { mode: 0o755 });
  const result = await runner(root);
  assert.is(result.code, 1);
  assert.is(lastLine(result), "2 passed, 1 failed");
  assert.match(result.stdout, /==== lint: exit code 1\nlint found this/);
});

test.run();

function running(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

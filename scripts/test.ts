/**
 * The test runner: `npm test [filter …]`.
 *
 * Every test file gets a process of its own under the pinned Node, two at a time (the machines that run this have
 * few cores, and tests that starve each other lie), and one more whenever a core has nothing to do: many wait for
 * deadlines, processes and peers. Each file is bounded by a time limit, and whatever it leaves
 * running is ended with its process group. The types and the linter count as one test each. A run of many ends with
 * those that took longest. The last line, alone, is what scripts read: `N passed, N failed`, and `, N skipped` when
 * tests were skipped.
 *
 * What stands on the poller is tested on both of Linux's, from one list: the same files once on io_uring and once,
 * named `… [epoll]`, on epoll. Where io_uring is refused one line says why, and only epoll is tested. SLIPWAY_POLLER in
 * the environment chooses one for all. kqueue is a third, on the C libraries of macOS and FreeBSD that test/support/kqueue
 * plays: what is quick of the list runs so as well, named `… [kqueue-darwin]`, and with `npm test -- --kqueue` all of it
 * on both, and nothing else.
 *
 * A file fails as a whole when it crashes, runs out of time, or holds no test at all.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { playing, SYSTEMS } from "../test/support/kqueue/systems.ts";
import { uvuSummary } from "./uvu-summary.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const atOnce = Number(process.env.SLIPWAY_TEST_JOBS ?? 2);
/** More than these are never begun, however idle the machine; who asks for a number gets that. */
const most = process.env.SLIPWAY_TEST_JOBS === undefined ? 2 * Math.max(atOnce, availableParallelism()) : atOnce;
/** So much of a core must have been idle, for so long. */
const idleShare = Number(process.env.SLIPWAY_TEST_IDLE ?? 0.8);
const LOOK_MS = 400;
/** A file that needs longer says so in its first lines: `// time limit: 300 s`. */
const defaultLimitSeconds = 120;
/** Where all takes longer than on a machine of its own (scripts/arm64): so many times the limits. */
const patience = Number(process.env.SLIPWAY_TEST_PATIENCE ?? 1);
/** How long each check took last time; kept where git does not look, so that long ones can start first. */
const timesFile = join(root, "node_modules", ".cache", `slipway-test-times-${process.arch}.json`);
/**
 * What V8 makes of our sources, TypeScript stripped, for all processes of this run: tests start many programs from
 * source, and one starts for less than half with it (0.93 s of CPU, and 0.41).
 */
const compileCache = mkdtempSync(join(tmpdir(), "slipway-test-compiled-"));
process.on("exit", () => rmSync(compileCache, { recursive: true, force: true }));
/** So many of the longest are named at the end. */
const SLOWEST = 10;
/** Folders and files that are run on each poller. */
const onEachPoller: readonly string[] = [
  "test/net/",
  "test/tls/",
  "test/http2/",
  "test/websocket/",
  "test/http/",
  "test/runtime/",
  "test/client/",
  "test/docs/limits.test.ts",
  "test/docs/net.test.ts",
  ...["descriptor-limit", "descriptors", "exit", "many-handles", "send-file", "urgent-data"].map(
    (name) => `test/ffi/${name}.test.ts`,
  ),
];
/** Of those, the ones that run once more with TLS between client and server (test/support/tls.ts). */
const overTls = new Set(
  [
    ...[
      ...[
        "deadlines",
        "disconnects",
        "drain",
        "interim-and-trailers",
        "keep-alive",
        "mixture",
        "pipelining",
        "refusals",
      ],
      ...["request-bodies", "request-limits", "response-bodies", "timeouts", "unread-answers"],
    ].map((name) => `http/${name}`),
    ...[
      ...[
        "drain",
        "drain-under-load",
        "flow",
        "hostile",
        "leaks",
        "limits",
        "observed",
        "requests",
        "rules",
        "stalled",
        "timing",
        "wire-fuzz",
      ],
    ].map((name) => `http2/${name}`),
    ...["clients", "compression", "handshake", "lifecycle", "many", "over-http2", "rules"].map(
      (name) => `websocket/${name}`,
    ),
  ].map((name) => `test/${name}.test.ts`),
);
/** And these once more with HTTP/2 between them, whose clients speak the bytes of HTTP/1.1 (test/http/support/over-http2.ts). */
const overHttp2 = new Set(
  [
    ...["deadlines", "disconnects", "drain", "failures", "file-bodies", "interim-and-trailers", "lifecycle", "mixture"],
    ...["request-bodies", "request-limits", "request-trailers", "response-bodies", "sizes", "stream-pieces"],
    ...["timeouts", "unread-answers"],
  ].map((name) => `test/http/${name}.test.ts`),
);
/** But for these, which open no socket, or of which it is no matter: their seconds would be spent twice for nothing. */
const onAnyPoller = new Set(
  [
    ...["http/parser-differential", "http/request-url", "http/request-copies", "http/behind-proxies"],
    ...["net/ip", "net/trust", "net/proxy-protocol", "net/examples"],
    ...["runtime/assets", "runtime/error-text", "runtime/stall-monitor", "runtime/watch-runtime"],
    ...["http2/browser", "runtime/task-table", "runtime/task-trend", "runtime/request-context"],
    // Functions alone: a wheel, fields, codes, masks.
    ...["runtime/deadlines", "http/forwarded", "http/compression/accept-encoding", "client/redirect", "http2/hpack"],
    ...["websocket/bytes"],
    // What is asked and shown here OpenSSL and the program settle; how bytes come and go is for client, server and records.
    ...["tls/names", "tls/stores", "tls/hsts", "tls/self-signed"],
  ].map((name) => `test/${name}.test.ts`),
);

/** Of those, what runs on a played system in every run; the oracles' seconds are their peers'. */
const playedAlways = (name: string): boolean =>
  (name.startsWith("test/net/") || name.startsWith("test/ffi/")) && !/oracle|exit|many-handles|tls/.test(name);
/** Of the list, what only Linux has: the wait in the poller's own call (ffi/host-loop.ts). */
const onLinuxAlone = new Set(["test/runtime/poller-wait.test.ts"]);
/** What stands on readiness alone, and on whichever kernel there is. */
const onReadiness = new Set(
  ["handles", "wake", "faults", "call-sites", "random-faults", "contract"].map((name) => `test/ffi/${name}.test.ts`),
);

interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The poller to insist on; none: the best that works. */
  readonly poller?: string;
  /** Its servers and clients speak TLS. */
  readonly tls?: boolean;
  /** They speak HTTP/2. */
  readonly http2?: boolean;
  readonly limitSeconds: number;
  /** uvu's summary says how many tests ran; a tool such as tsc is one test, passed when it exits with 0. */
  readonly summary: "uvu" | "exit code";
  /** For the first run, before times are known: bigger means start earlier. */
  readonly weight: number;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly problem: string;
  readonly output: string;
}

// The variable is for the test of the README, whose `npm test` must not run the whole suite inside itself.
const onlyPlayed = process.argv.includes("--kqueue");
const filters = process.argv
  .slice(2)
  .filter((arg) => arg !== "--kqueue")
  .concat(process.env.SLIPWAY_TEST_FILTER?.split(",") ?? []);
const checks = forEachPoller(
  [...tools(), ...testFiles()].filter(
    (check) => filters.length === 0 || filters.some((filter) => check.name.includes(filter)),
  ),
);
if (checks.length === 0) {
  console.error(`no test matches ${filters.join(", ")}; filters are parts of paths, such as "test/net" or "parser"`);
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const times = readTimes();
checks.sort((a, b) => (times[b.name] ?? b.weight) - (times[a.name] ?? a.weight));

const running = new Set<ChildProcess>();
const total = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const taken: { readonly name: string; readonly seconds: number }[] = [];
const began = performance.now();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    for (const child of running) killGroup(child);
    failures.push(`ended by ${signal} after ${taken.length} of ${checks.length} files`);
    end(1);
  });
}

const queue = checks.slice();
await Promise.all([...Array.from({ length: Math.max(1, atOnce) }, worker), whileIdle()]);
writeTimes(times);

if (checks.length > SLOWEST) reportSlowest();
end(total.failed > 0 || total.passed === 0 ? 1 : 0);

/** What failed, and the line that scripts read. */
function end(code: number): never {
  for (const failure of failures) console.log(failure);
  const { passed, failed, skipped } = total;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exit(code);
}

async function worker(): Promise<void> {
  for (let check = queue.shift(); check !== undefined; check = queue.shift()) await take(check);
}

/** Begins one more while a core idles: one of the short ones, for those that run may not wait for long. */
async function whileIdle(): Promise<void> {
  const more: Promise<void>[] = [];
  for (let before = idleMs(); queue.length > 0 && running.size > 0; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = idleMs();
    const check = now - before >= LOOK_MS * idleShare && running.size < most ? queue.pop() : undefined;
    if (check !== undefined) more.push(take(check));
    before = now;
  }
  await Promise.all(more);
}

/** Of all cores together, since the machine began. One that waits for a disk is not idle. */
function idleMs(): number {
  return cpus().reduce((all, { times }) => all + times.idle, 0);
}

async function take(check: Check): Promise<void> {
  const outcome = await run(check);
  times[check.name] = outcome.seconds;
  taken.push({ name: check.name, seconds: outcome.seconds });
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  report(check, outcome);
}

function report(check: Check, outcome: Outcome): void {
  const { passed, failed, skipped, seconds, problem, output } = outcome;
  const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  console.log(`${failed > 0 ? "FAIL" : "ok  "} ${check.name}  ${counts}, ${seconds.toFixed(1)} s`);
  for (const line of output.split("\n")) {
    if (line.startsWith("SKIP ")) console.log(`     ${line}`);
  }
  if (failed > 0) {
    const title = `==== ${check.name}${problem === "" ? "" : `: ${problem}`}`;
    failures.push(`${title}\n${output.trimEnd()}\n`);
  }
}

function reportSlowest(): void {
  const all = (performance.now() - began) / 1000;
  const sum = taken.reduce((seconds, each) => seconds + each.seconds, 0);
  console.log(`\nThe slowest of ${checks.length}, which took ${sum.toFixed(0)} s in ${all.toFixed(0)} s:`);
  taken.sort((a, b) => b.seconds - a.seconds);
  for (const { name, seconds } of taken.slice(0, SLOWEST)) console.log(`${seconds.toFixed(1).padStart(7)} s ${name}`);
  console.log();
}

function run(check: Check): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    // A process group of its own, so that what a crashed test left running can be ended as well.
    const child = spawn(check.command, check.args, {
      cwd: root,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: compileCache,
        ...pollerOf(check),
        ...(check.tls ? { SLIPWAY_TEST_TLS: "1" } : {}),
        ...(check.http2 ? { SLIPWAY_TEST_H2: "1" } : {}),
        PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}`,
      },
    });
    running.add(child);
    let output = "";
    let problem = "";
    const collect = (chunk: string) => {
      output += chunk;
    };
    child.stdout?.setEncoding("utf8").on("data", collect);
    child.stderr?.setEncoding("utf8").on("data", collect);
    const limit = setTimeout(
      () => {
        problem = `not finished after ${check.limitSeconds * patience} s`;
        killGroup(child);
      },
      check.limitSeconds * patience * 1000,
    );
    child.on("error", (error) => {
      problem = error.message;
    });
    // "exit", not "close": a grandchild that holds our pipes open must not hold up the whole run.
    child.on("exit", (code, signal) => {
      setImmediate(() => killGroup(child));
      if (problem === "" && signal !== null) problem = `ended by ${signal}`;
      if (problem === "" && code !== 0) problem = `exit code ${code}`;
    });
    child.on("close", () => {
      clearTimeout(limit);
      running.delete(child);
      const seconds = (performance.now() - started) / 1000;
      resolve({ ...count(check, output, problem), seconds, output });
    });
  });
}

/** What a finished check amounts to. */
function count(check: Check, output: string, problem: string): Omit<Outcome, "seconds" | "output"> {
  if (check.summary === "exit code") {
    const failed = problem === "" ? 0 : 1;
    return { passed: 1 - failed, failed, skipped: 0, problem };
  }
  return uvuSummary(output, problem);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nothing of the group is left.
  }
}

function tools(): Check[] {
  const tool = (name: string, command: string, ...args: string[]): Check => ({
    name,
    command: join(root, "node_modules", ".bin", command),
    args,
    limitSeconds: 300,
    summary: "exit code",
    weight: Number.MAX_SAFE_INTEGER,
  });
  return [tool("types", "tsc", "--noEmit"), tool("lint", "biome", "check")];
}

function testFiles(): Check[] {
  const folder = join(root, "test");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts") && !file.split(sep).includes("node_modules"))
    .sort()
    .map((file) => {
      const path = join(folder, file);
      const asked = /^\/\/ time limit: (\d+) s$/m.exec(readFileSync(path, "utf8").slice(0, 2000));
      return {
        name: relative(root, path),
        command: process.execPath,
        args: [path],
        limitSeconds: asked === null ? defaultLimitSeconds : Number(asked[1]),
        summary: "uvu",
        // Who asks for more than the others begins before them.
        weight: (asked === null ? 0 : Number(asked[1])) + statSync(path).size / 1e6,
      };
    });
}

/** Those that stand on the poller once for each of them. */
function forEachPoller(chosen: readonly Check[]): Check[] {
  const stands = ({ name }: Check): boolean =>
    !onAnyPoller.has(name) && onEachPoller.some((begin) => name.startsWith(begin));
  if (onlyPlayed) {
    const played = chosen.filter(
      (check) => (stands(check) && !onLinuxAlone.has(check.name)) || onReadiness.has(check.name),
    );
    return played.flatMap((check) => SYSTEMS.flatMap((system) => onPlayed(check, system)));
  }
  if (process.env.SLIPWAY_POLLER?.startsWith("kqueue-")) return chosen.filter(({ name }) => !onLinuxAlone.has(name));
  if (process.env.SLIPWAY_POLLER || !chosen.some(stands)) return [...chosen];
  const refused = uringRefused();
  if (refused !== "") console.log(`io_uring is not tested, this machine refuses it: ${refused}`);
  return chosen.flatMap((check) => {
    if (!stands(check)) return [check];
    const epoll = { ...check, name: `${check.name} [epoll]`, poller: "epoll" };
    const both = refused === "" ? [{ ...check, poller: "uring" }, epoll] : [epoll];
    const all: Check[] = [...both];
    if (playedAlways(check.name)) all.push(...onPlayed(check, "darwin"));
    if (overTls.has(check.name)) all.push({ ...both[0], name: `${check.name} [tls]`, tls: true });
    if (overHttp2.has(check.name)) all.push({ ...both[0], name: `${check.name} [h2]`, http2: true });
    return all;
  });
}

/** The variables that choose its poller, and the system that it is to be on. */
function pollerOf({ poller = process.env.SLIPWAY_POLLER }: Check): Record<string, string> {
  const played = SYSTEMS.find((system) => poller === `kqueue-${system}`);
  if (played !== undefined) return playing(played);
  return poller === undefined ? {} : { SLIPWAY_POLLER: poller };
}

/** The check on a played system, in the clothes that it has elsewhere. */
function onPlayed(check: Check, system: (typeof SYSTEMS)[number]): Check[] {
  const poller = `kqueue-${system}`;
  const plain = { ...check, poller, name: `${check.name} [${poller}]` };
  const all: Check[] = [plain];
  if (overTls.has(check.name)) all.push({ ...plain, name: `${check.name} [${poller}, tls]`, tls: true });
  if (overHttp2.has(check.name)) all.push({ ...plain, name: `${check.name} [${poller}, h2]`, http2: true });
  return all;
}

/** Why, in a sentence; "" when it works. */
function uringRefused(): string {
  const module = pathToFileURL(join(root, "ffi/poller.ts")).href;
  const program = `
    const { openPoller } = await import(${JSON.stringify(module)});
    try { openPoller().poller.dispose(); } catch (error) { console.log(error.message); }`;
  const env = { ...process.env, SLIPWAY_POLLER: "uring" };
  return execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" }).trim();
}

function readTimes(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(timesFile, "utf8"));
  } catch {
    return {};
  }
}

function writeTimes(known: Record<string, number>): void {
  try {
    mkdirSync(dirname(timesFile), { recursive: true });
    writeFileSync(timesFile, JSON.stringify(known));
  } catch {
    // Only the order of the next run depends on it.
  }
}

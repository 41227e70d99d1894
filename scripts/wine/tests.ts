/**
 * The tests of the poller and of all that stands on it, each file a process of its own in Wine. Started by `main.ts`,
 * which has made the mounts. What a test skips, and why, is shown; the last line has the sums.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { uvuSummary } from "../uvu-summary.ts";
import { reasonsOf } from "./reasons.ts";
import { nodeCommand, project } from "./root.ts";

/** What stands on the poller. A list more is a filter, as of `npm test`. */
const LISTS = [
  "test/ffi/iocp",
  "test/ffi/exit",
  "test/ffi/many-handles",
  "test/net/",
  "test/runtime/",
  "test/http/",
  "test/tls/",
  "test/http2/",
  "test/websocket/",
];
/** Starting node.exe takes 2 to 7 s here, and tests start many. */
const LIMIT_S = 240;
const AT_ONCE = Number(process.env.SLIPWAY_TEST_JOBS ?? 2);

const filters = process.argv.slice(2);
const wanted = filters.length > 0 ? filters : LISTS;
const files = readdirSync(join(project, "test"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => relative(project, join(project, "test", file)))
  .filter((file) => wanted.some((filter) => file.includes(filter)))
  .sort();

const folder = mkdtempSync(join(tmpdir(), "slipway-wine-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const sum = { passed: 0, failed: 0, skipped: 0, expected: 0 };
const expected = new Map<string, number>();
const lists = new Map<string, typeof sum>();
const failures: string[] = [];
const queue = files.slice();
await Promise.all(Array.from({ length: AT_ONCE }, worker));
for (const failure of failures) console.log(failure);
for (const [reason, count] of expected) console.log(`${count} fail as expected: ${reason}`);
for (const [list, counts] of [...lists].sort()) console.log(`${list}: ${shown(counts)}`);
console.log(shown(sum));
process.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);

function shown({ passed, failed, skipped, expected }: typeof sum): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped, ${expected} not for here`;
}

async function worker(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const began = performance.now();
    const { output, problem } = await run(file);
    const summary = uvuSummary(output, problem);
    const reasons = summary.failed > 0 ? reasonsOf(output).slice(0, summary.failed) : [];
    for (const reason of reasons) expected.set(reason, (expected.get(reason) ?? 0) + 1);
    const outcome = { ...summary, failed: summary.failed - reasons.length, expected: reasons.length };
    const list = file.split("/").slice(0, 2).join("/");
    let of = lists.get(list);
    if (of === undefined) lists.set(list, (of = { passed: 0, failed: 0, skipped: 0, expected: 0 }));
    for (const total of [sum, of]) {
      total.passed += outcome.passed;
      total.failed += outcome.failed;
      total.skipped += outcome.skipped;
      total.expected += outcome.expected;
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const { failed } = outcome;
    console.log(`${failed > 0 ? "FAIL" : "ok  "} ${file}  ${shown(outcome)}, ${seconds} s`);
    for (const line of output.split("\n")) if (line.startsWith("SKIP ")) console.log(`     ${line.trimEnd()}`);
    if (failed > 0) {
      const title = `==== ${file}${outcome.problem === "" ? "" : `: ${outcome.problem}`}`;
      failures.push(`${title}\n${output.trimEnd()}\n`);
    }
  }
}

function run(file: string): Promise<{ output: string; problem: string }> {
  const path = join(folder, file.replaceAll("/", "_"));
  const output = openSync(path, "w");
  const [command, ...args] = nodeCommand([file], variables());
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", output, output], detached: true });
    let problem = "";
    const end = (): void => {
      try {
        process.kill(-(child.pid as number), "SIGKILL");
      } catch {
        // Nothing of the group is left.
      }
    };
    const limit = setTimeout(() => {
      problem = `not finished after ${LIMIT_S} s`;
      end();
    }, LIMIT_S * 1000);
    child.on("exit", (code, signal) => {
      clearTimeout(limit);
      if (problem === "" && signal !== null) problem = `ended by ${signal}`;
      if (problem === "" && code !== 0) problem = `exit code ${code}`;
      end();
      closeSync(output);
      resolve({ output: readFileSync(path, "utf8").replaceAll("\r\n", "\n"), problem });
    });
  });
}

/** What chooses among the forms of a test goes along. */
function variables(): Record<string, string> {
  const names = ["SLIPWAY_TEST_TLS", "SLIPWAY_TEST_H2"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

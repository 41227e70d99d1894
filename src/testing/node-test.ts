/**
 * Tests of `node:test`, run by Node's own runner and told as ours. It loads files itself, and may begin a test as it is
 * defined unless it does: so it is given a file that stands for the program, which is loaded as that file is evaluated.
 */
import type { SourceMap } from "node:module";
import { join } from "node:path";
import { patternOf } from "./choose.ts";
import { guardExit } from "./exit.ts";
import { failureOf, plainFailure, stillPending } from "./failure.ts";
import type { Described, Failure, Job, Place, TestEvent } from "./protocol.ts";

/** Ours count from 0. */
const FIRST_ID = 1_000_000;

/** The file that Node takes the whole program for. */
const BUNDLE = "(bundle)";

/** A file that is always there; nobody reads it. */
const STANDS_FOR = "/dev/null";
const loadKey = Symbol.for("slipway.test.load");

/** Whether a bundled program asks for it. */
export function usesNodeTest(code: string): boolean {
  return code.includes('"node:test"');
}

/** What Node's events carry; its types do not name all of it. */
interface NodeEvent {
  readonly name: string;
  readonly testId: number;
  readonly parentId?: number;
  readonly nesting: number;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details?: { readonly duration_ms: number; readonly passed?: boolean; readonly error?: Error };
}

/** Loads the program with `load`, then runs the tests of node:test that it defined. */
export async function runNodeTests(
  job: Job,
  tell: (event: TestEvent) => void,
  load: () => Promise<void>,
): Promise<void> {
  const { run } = process.getBuiltinModule("node:test");
  const holder = globalThis as { [loadKey]?: () => Promise<void> };
  const loaded = Promise.withResolvers<void>();
  holder[loadKey] = async () => {
    delete holder[loadKey];
    await load().then(loaded.resolve, loaded.reject);
  };
  process.getBuiltinModule("node:module").registerHooks({
    load(url, context, next) {
      if (url !== `file://${STANDS_FOR}`) return next(url, context);
      return { format: "module", shortCircuit: true, source: `await globalThis[Symbol.for("slipway.test.load")]();` };
    },
  });
  const { filter } = job.options;
  const stream = run({
    files: [STANDS_FOR],
    isolation: "none",
    ...(filter !== undefined && { testNamePatterns: patternOf(filter) ?? new RegExp(RegExp.escape(filter)) }),
  });
  const told = new Map<number, Described>();
  const failedSteps = new Map<number, number>();
  let anyFailed = false;
  const said: string[] = [];
  const places = placeFinder(job);
  const shownAt = (text: string, line: string, column: string): string => {
    const at = places(`/${BUNDLE}`, Number(line), Number(column));
    return at === undefined ? text : `${at.file}:${at.line}:${at.column}`;
  };
  const described = ({ testId, name, parentId, nesting, file, line, column }: NodeEvent): Described => {
    const id = FIRST_ID + testId;
    let known = told.get(id);
    if (known === undefined) {
      const parent = nesting > 0 && parentId !== undefined ? FIRST_ID + parentId : undefined;
      told.set(id, (known = { id, name, at: places(file, line, column), parent }));
    }
    return known;
  };
  // Told in the moment in which it happens, and not by the stream, which is read later.
  const on = (type: string, listener: (event: NodeEvent) => void) => stream.on(type as "test:start", listener as never);
  const pending = new Map<number, Described>();
  on("test:dequeue", (event) => {
    const test = described(event);
    pending.set(test.id, test);
    tell({ type: "wait", test });
  });
  on("test:complete", (event) => {
    const { skip, todo, details } = event;
    const test = described(event);
    pending.delete(test.id);
    const ignored = (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
    const ok = details?.error === undefined && details?.passed !== false;
    const steps = failedSteps.get(test.id) ?? 0;
    const outcome = ignored ? "ignored" : ok ? "ok" : "failed";
    anyFailed ||= outcome === "failed";
    if (outcome === "failed" && test.parent !== undefined) {
      failedSteps.set(test.parent, (failedSteps.get(test.parent) ?? 0) + 1);
    }
    const failure = outcome === "failed" ? failureOfNode(details?.error, steps) : undefined;
    const elapsed = Math.round((details?.duration_ms ?? 0) * 1000);
    tell({ type: "result", test, outcome, elapsed, failure, failedSteps: steps });
  });
  on("test:diagnostic", (event) => {
    const { message } = event as unknown as { message: string };
    // What was thrown after its test had ended; the rest are its own counts.
    if (/^(?:Error|Warning): /.test(message)) said.push(message.replace(/\S*\(bundle\):(\d+):(\d+)/g, shownAt));
  });
  const ended = Promise.withResolvers<boolean>();
  // Each file has one of its own; the last is of all.
  on("test:summary" as never, (event) => {
    const { success, file } = event as unknown as { success: boolean; file?: string };
    if (file === undefined) ended.resolve(success);
  });
  stream.resume();
  await loaded.promise;
  const allowExit = guardExit();
  // A test that waits for nothing: Node's runner waits with it, and begins no other.
  let rounds = 0;
  const idle = () => {
    setImmediate(() => {});
    // Its own end comes with this event too.
    if (pending.size === 0) return void (++rounds > 3 && ended.resolve(true));
    anyFailed = true;
    for (const test of [...pending.values()].toReversed()) {
      const inner = ![...pending.values()].some(({ parent }) => parent === test.id);
      const failure = inner ? plainFailure(stillPending) : undefined;
      tell({ type: "result", test, outcome: "failed", elapsed: 0, failure, failedSteps: inner ? 0 : 1 });
    }
    const text = "node:test could not go on behind a test that never ends: those after it did not run";
    tell({ type: "uncaught", failure: plainFailure(text) });
    ended.resolve(false);
  };
  process.on("beforeExit", idle);
  const success = await ended.promise;
  process.off("beforeExit", idle);
  allowExit();
  if (said.length > 0) tell({ type: "uncaught", failure: plainFailure(said.join("\n")) });
  else if (!success && !anyFailed) {
    tell({ type: "uncaught", failure: plainFailure("node:test tells of a failure, but not of which test") });
  }
}

/** The author's own error is the cause of Node's. A test whose steps failed has nothing of its own to say. */
function failureOfNode(error: Error | undefined, failedSteps: number): Failure | undefined {
  if (error === undefined) return failedSteps > 0 ? undefined : plainFailure("the test failed");
  const { failureType } = error as { failureType?: string };
  if (failureType === "subtestsFailed" && failedSteps > 0) return undefined;
  const { cause } = error;
  return cause === undefined || typeof cause === "string"
    ? plainFailure(String(cause ?? error.message))
    : failureOf(cause);
}

/** Node tells where in the bundle a test was defined. */
function placeFinder({ bundle }: Job): (file?: string, line?: number, column?: number) => Place | undefined {
  let map: SourceMap | undefined;
  return (file, line, column) => {
    if (file === undefined || line === undefined || column === undefined) return undefined;
    if (!file.endsWith(`/${BUNDLE}`)) return { file, line, column };
    map ??= new (process.getBuiltinModule("node:module").SourceMap)(JSON.parse(bundle.map));
    const entry = map.findEntry(line - 1, column - 1);
    if (!("originalSource" in entry) || entry.originalSource.startsWith("node_modules/")) return undefined;
    const { originalSource, originalLine, originalColumn } = entry;
    return { file: join(bundle.root, originalSource), line: originalLine + 1, column: originalColumn + 1 };
  };
}

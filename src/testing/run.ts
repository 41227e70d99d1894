/**
 * Runs the tests of a file, one after the other, as `deno test` does: hooks around each, steps inside, and whatever a
 * test does (never ends, throws later, ends the process) is told as its own result or the file's.
 */

import { matches, shuffled } from "./choose.ts";
import {
  isDenied,
  isRestricted,
  makeDenoTest,
  readStep,
  type TestDefinition,
  type TestFunction,
  type TestOptions,
} from "./define.ts";
import { ExitError, guardExit } from "./exit.ts";
import { authorPlace, failureOf, plainFailure, stillPending } from "./failure.ts";
import type { Described, Failure, RunOptions, TestEvent } from "./protocol.ts";
import { watchLeaks } from "./sanitize.ts";
import { type Context, type SnapshotOptions, Snapshots } from "./snapshot.ts";

type Tell = (event: TestEvent) => void;
type Hook = () => unknown;
type HookName = "beforeAll" | "beforeEach" | "afterEach" | "afterAll";

/** How a test, or a step of one, ended. */
interface Ended {
  readonly failure?: Failure;
  readonly failedSteps: number;
}

/** A test or step that runs. */
interface Scope {
  readonly described: Described;
  readonly parent: Scope | undefined;
  readonly sanitized: boolean;
  readonly steps: Scope[];
  failedSteps: number;
  running: boolean;
  began: number;
  /** Has told its result. */
  told: boolean;
}

export class TestFile {
  readonly #tests: TestDefinition[] = [];
  readonly #hooks: Record<HookName, Hook[]> = {
    beforeAll: [],
    beforeEach: [],
    afterEach: [],
    afterAll: [],
  };
  readonly #origin: string;
  readonly #snapshots: Snapshots;
  readonly #options: RunOptions;
  readonly #tell: Tell;
  #ids = 0;
  #running: TestDefinition | undefined;
  #begun = false;
  /** Ends what is being waited for. */
  #interrupt: ((why: Interruption) => void) | undefined;
  /** Something outside of any test failed: no further test runs. */
  #broken = false;

  constructor(origin: string, options: RunOptions, tell: Tell) {
    this.#origin = origin;
    this.#snapshots = new Snapshots(origin, options.updateSnapshots === true);
    this.#options = options;
    this.#tell = tell;
  }

  /** `Deno.test`. */
  denoTest(): object {
    const hook = (name: HookName) => (fn: Hook) => {
      if (typeof fn !== "function") throw new TypeError(`Expected a function for Deno.test.${name}()`);
      this.#hooks[name].push(fn);
    };
    return makeDenoTest(
      (test) => this.#register(test),
      {
        beforeAll: hook("beforeAll"),
        beforeEach: hook("beforeEach"),
        afterEach: hook("afterEach"),
        afterAll: hook("afterAll"),
      },
      { ops: this.#options.sanitizeOps, resources: this.#options.sanitizeResources },
    );
  }

  get registered(): number {
    return this.#tests.length;
  }

  #register(test: TestDefinition): void {
    if (this.#running !== undefined) {
      throw new Error("Nested Deno.test() calls are not supported. Use t.step() for nested tests.");
    }
    if (this.#begun)
      throw new Error("Deno.test() was called after the file's tests had begun: call it as the file loads");
    this.#tests.push(test);
  }

  /** An error that nobody caught. */
  uncaught(error: unknown): void {
    this.#broken = true;
    this.#tell({ type: "uncaught", failure: failureOf(error) });
    this.#interrupt?.("broken");
  }

  /** Runs everything that was registered and is asked for. */
  async run(): Promise<void> {
    this.#begun = true;
    const idle = () => {
      this.#interrupt?.("idle");
      // Else Node would end here, and ask no second time.
      setOwnImmediate(() => {});
    };
    process.on("beforeExit", idle);
    try {
      await this.#runAll();
    } finally {
      process.off("beforeExit", idle);
    }
  }

  async #runAll(): Promise<void> {
    const only = this.#tests.filter((test) => test.only);
    const among = only.length > 0 ? only : this.#tests;
    const chosen = shuffled(
      among.filter(({ name }) => matches(name, this.#options.filter)),
      this.#options.shuffle,
    );
    this.#ids = Math.max(0, ...this.#tests.map(({ id }) => id)) + 1;
    this.#tell({
      type: "plan",
      total: chosen.length,
      filteredOut: this.#tests.length - chosen.length,
      usedOnly: only.length > 0,
      restricted: chosen.filter((test) => !test.ignore && isRestricted(test)).length,
    });
    if (chosen.length > 0 && !this.#broken) await this.#fileHooks(this.#hooks.beforeAll);
    const began = !this.#broken;
    let failures = 0;
    for (const test of chosen) {
      if (!began) break;
      const { id, name, at } = test;
      const described = { id, name, at };
      if (this.#broken) {
        this.#tell({ type: "result", test: described, outcome: "cancelled", elapsed: 0 });
        continue;
      }
      this.#tell({ type: "wait", test: described, timeout: test.timeout });
      if (test.ignore) {
        this.#tell({ type: "result", test: described, outcome: "ignored", elapsed: 0 });
        continue;
      }
      if ((await this.#runTest(test, described)) === "failed") failures++;
      if (this.#options.failFast !== undefined && failures >= this.#options.failFast) break;
    }
    if (chosen.length > 0) await this.#fileHooks(this.#hooks.afterAll.toReversed());
    const all = chosen.length === this.#tests.length && failures === 0 && !this.#broken;
    const lines = this.#snapshots.flush(all && !chosen.some((test) => test.ignore));
    if (lines.length > 0) console.log(`\n${lines.join("\n")}`);
  }

  /** One that fails fails the file. */
  async #fileHooks(hooks: readonly Hook[]): Promise<void> {
    for (const hook of hooks) {
      const ended = await this.#guarded(() => callTest(hook as TestFunction));
      if (ended === undefined) continue;
      if (ended !== "broken") {
        this.#broken = true;
        this.#tell({ type: "uncaught", failure: ended });
      }
      return;
    }
  }

  async #runTest(test: TestDefinition, described: Described): Promise<"ok" | "failed"> {
    const repeats = Math.max(0, test.repeats ?? this.#options.repeats ?? 0);
    const retries = Math.max(0, test.retry ?? this.#options.retry ?? 0);
    const began = performance.now();
    let flaky = false;
    let ended: Ended | "broken" = { failedSteps: 0 };
    this.#running = test;
    for (let round = 0; round <= repeats; round++) {
      for (let attempt = 0; attempt <= retries; attempt++) {
        ended = await this.#attempt(test, described);
        if (ended === "broken" || (ended.failure === undefined && ended.failedSteps === 0)) {
          flaky ||= attempt > 0;
          break;
        }
        if (attempt < retries) {
          const message = ended.failure?.message ?? `${ended.failedSteps} failed steps`;
          this.#tell({ type: "retry", test: described, attempt: attempt + 1, message });
        }
      }
      if (ended === "broken" || ended.failure !== undefined || ended.failedSteps > 0) break;
    }
    this.#running = undefined;
    const elapsed = Math.round((performance.now() - began) * 1000);
    if (ended === "broken") {
      this.#tell({ type: "result", test: described, outcome: "cancelled", elapsed: 0 });
      return "failed";
    }
    const { failedSteps } = ended;
    const failure = ended.failure && isDenied(test) ? withNote(ended.failure, test) : ended.failure;
    const outcome = failure === undefined && failedSteps === 0 ? "ok" : "failed";
    this.#tell({
      type: "result",
      test: described,
      outcome,
      elapsed,
      failure,
      failedSteps,
      flaky: flaky && outcome === "ok",
    });
    return outcome;
  }

  async #attempt(test: TestDefinition, described: Described): Promise<Ended | "broken"> {
    const scope = this.#scope(described, undefined, test);
    const failure = await this.#guarded(() => this.#aroundTest(test, scope), test.timeout);
    scope.running = false;
    if (failure === "broken") return "broken";
    this.#endSteps(scope);
    return { failure, failedSteps: scope.failedSteps };
  }

  /** The hooks and the test between them; throws what any of them does, the test's own first. */
  async #aroundTest(test: TestDefinition, scope: Scope): Promise<void> {
    const failed: unknown[] = [];
    try {
      for (const hook of this.#hooks.beforeEach) await callTest(hook as TestFunction);
      await this.#sanitized(test, () => callWithin(test.fn, this.#context(scope, test), test.timeout));
    } catch (error) {
      failed.push(error);
    }
    for (const hook of this.#hooks.afterEach.toReversed()) {
      try {
        await callTest(hook as TestFunction);
      } catch (error) {
        failed.push(error);
        break;
      }
    }
    if (failed.length > 0) throw failed[0] instanceof Thrown ? failed[0] : new Thrown(failed[0]);
  }

  /** Calls a test's or a step's function and looks at what it left behind. */
  async #sanitized(options: TestOptions, call: () => unknown): Promise<void> {
    const { sanitizeExit = true, sanitizeOps = false, sanitizeResources = false } = options;
    const leaks = sanitizeOps || sanitizeResources ? await watchLeaks(sanitizeOps, sanitizeResources) : undefined;
    const release = sanitizeExit ? guardExit() : undefined;
    try {
      await call();
      const code = release?.();
      if (code !== undefined) throw new ExitError(`Test case finished with exit code set to ${code}`);
    } finally {
      release?.();
    }
    const found = await leaks?.end();
    if (found !== undefined) throw new Thrown(undefined, found);
  }

  #scope(described: Described, parent: Scope | undefined, options: TestOptions): Scope {
    const { sanitizeExit = true, sanitizeOps = false, sanitizeResources = false } = options;
    return {
      described,
      parent,
      sanitized: sanitizeExit || sanitizeOps || sanitizeResources,
      steps: [],
      failedSteps: 0,
      running: true,
      began: performance.now(),
      told: false,
    };
  }

  /** What a test's function is given. */
  #context(scope: Scope, options: TestOptions, parent?: Context): Context {
    const context = {
      name: scope.described.name,
      origin: this.#origin,
      ...(parent !== undefined && { parent }),
      step: (first: never, second?: TestFunction): Promise<boolean> => {
        if (!scope.running) {
          throw new Error(
            "Cannot run test step after parent scope has finished execution. Ensure any `.step(...)` calls are executed before their parent scope completes execution.",
          );
        }
        const step = readStep(first, second);
        const described = {
          id: this.#ids++,
          name: step.name,
          at: authorPlace(context.step),
          parent: scope.described.id,
        };
        return this.#step({ sanitizeExit: options.sanitizeExit, ...step }, described, scope, context);
      },
      assertSnapshot: async (actual: unknown, how?: SnapshotOptions | string): Promise<void> =>
        this.#snapshots.assert(context, actual, how),
    };
    return context;
  }

  async #step(
    step: TestOptions & { readonly fn: TestFunction },
    described: Described,
    parent: Scope,
    parentContext: Context,
  ): Promise<boolean> {
    const scope = this.#scope(described, parent, step);
    parent.steps.push(scope);
    if (step.ignore) {
      scope.running = false;
      this.#tell({ type: "wait", test: described });
      this.#tellStep(scope, "ignored");
      return true;
    }
    const clash = overlapping(scope);
    this.#tell({ type: "wait", test: described });
    if (clash.length > 0) {
      const what = scope.sanitized
        ? "Started test step while another test step with sanitizers was running:"
        : "Started test step with sanitizers while another test step was running:";
      scope.running = false;
      this.#tellStep(scope, "failed", plainFailure(`${what}\n${clash.map((name) => `  * ${name}`).join("\n")}`));
      return false;
    }
    let failure: Failure | undefined;
    try {
      // What a step leaves behind is its test's, as in Deno: the next step may end it.
      await this.#sanitized({ sanitizeExit: step.sanitizeExit }, () =>
        callTest(step.fn, this.#context(scope, step, parentContext)),
      );
    } catch (error) {
      failure = error instanceof Thrown ? error.failure : failureOf(error);
    }
    scope.running = false;
    // The whole test was told already, as pending or timed out, and this step with it.
    if (scope.told) return false;
    this.#endSteps(scope);
    const ok = failure === undefined && scope.failedSteps === 0;
    this.#tellStep(scope, ok ? "ok" : "failed", failure);
    return ok;
  }

  #tellStep(scope: Scope, outcome: "ok" | "failed" | "ignored", failure?: Failure, incomplete?: boolean): void {
    scope.told = true;
    if (outcome === "failed" && scope.parent !== undefined) scope.parent.failedSteps++;
    const { described: test, failedSteps, began } = scope;
    const elapsed = outcome === "ignored" ? 0 : Math.round((performance.now() - began) * 1000);
    this.#tell({ type: "result", test, outcome, elapsed, failure, failedSteps, incomplete });
  }

  /** Steps that still run when their test has ended were not awaited. */
  #endSteps(scope: Scope): void {
    for (const step of scope.steps) {
      if (step.told) continue;
      this.#endSteps(step);
      step.running = false;
      const failure = plainFailure("Didn't complete before parent. Await step with `await t.step(...)`.");
      this.#tellStep(step, "failed", failure, true);
    }
  }

  /** Waits for `call`, but not for ever; gives what it threw. */
  async #guarded(call: () => Promise<unknown>, timeout?: number): Promise<Failure | "broken" | undefined> {
    const interrupted = new Promise<Interruption>((resolve) => (this.#interrupt = resolve));
    let timer: NodeJS.Timeout | undefined;
    if (timeout !== undefined && timeout > 0) timer = setOwnTimer(() => this.#interrupt?.("late"), timeout);
    try {
      const why = await Promise.race([call().then(() => undefined), interrupted]);
      switch (why) {
        case undefined:
          return this.#broken ? "broken" : undefined;
        case "late":
          return plainFailure(`Test timed out after ${timeout}ms.`);
        case "idle":
          return plainFailure(stillPending);
        case "broken":
          return "broken";
      }
    } catch (error) {
      if (this.#broken) return "broken";
      const cause = error instanceof Thrown ? (error.given ?? error.thrown) : error;
      if ((cause as { code?: unknown } | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") {
        return plainFailure(`Test timed out after ${timeout}ms.`);
      }
      return error instanceof Thrown ? error.failure : failureOf(error);
    } finally {
      clearTimeout(timer);
      this.#interrupt = undefined;
    }
  }
}

type Interruption = "late" | "idle" | "broken";

/** The host's, whatever a test puts in its place. */
const setOwnTimer = setTimeout;
const setOwnImmediate = setImmediate;

/** A test that expects to be refused something is not. */
function withNote(failure: Failure, { permissions }: TestOptions): Failure {
  const asked = typeof permissions === "string" ? permissions : JSON.stringify(permissions);
  const note = `(the test asks for the permissions ${asked}; Slipway has no permissions, so it ran with all of them)`;
  return { ...failure, message: `${failure.message}\n${note}` };
}

/** What a test threw, which may be undefined, or what it failed of without throwing. */
class Thrown extends Error {
  readonly thrown: unknown;
  readonly given: Failure | undefined;

  constructor(thrown: unknown, given?: Failure) {
    super("a test failed");
    this.thrown = thrown;
    this.given = given;
  }

  get failure(): Failure {
    return this.given ?? failureOf(this.thrown);
  }
}

/** Stacks are cut at this name (failure.ts): what is below is ours. */
async function callTest(fn: TestFunction, context?: object): Promise<void> {
  await fn(context as never);
}

/** The same, where the part before the first await may take no longer than `timeout` milliseconds. */
async function callWithin(fn: TestFunction, context: object, timeout: number | undefined): Promise<void> {
  if (timeout === undefined || timeout <= 0) return callTest(fn, context);
  const { Script } = process.getBuiltinModule("node:vm");
  const holder = globalThis as { [slot]?: () => unknown };
  holder[slot] = () => callTest(fn, context);
  try {
    await new Script(`globalThis[Symbol.for("slipway.test")]()`).runInThisContext({ timeout: Math.ceil(timeout) });
  } finally {
    delete holder[slot];
  }
}

const slot = Symbol.for("slipway.test");

/** Steps that run beside this one, where sanitizers could not tell whose is what. */
function overlapping(scope: Scope): string[] {
  const names: string[] = [];
  for (let up = scope; up.parent !== undefined; up = up.parent) {
    for (const other of up.parent.steps) {
      if (other !== up && other.running && (other.sanitized || scope.sanitized)) names.push(pathOf(other));
    }
  }
  return names;
}

function pathOf(scope: Scope): string {
  const { name } = scope.described;
  return scope.parent === undefined ? name : `${pathOf(scope.parent)} ... ${name}`;
}

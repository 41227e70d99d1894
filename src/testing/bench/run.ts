/** `Deno.bench` in each of its forms, and the measuring of what was registered. */
import { matches } from "../choose.ts";
import { readTest, type TestFunction } from "../define.ts";
import { ExitError, guardExit } from "../exit.ts";
import { authorPlace, failureOf, plainFailure, stillPending } from "../failure.ts";
import type { Failure, RunOptions, TestEvent } from "../protocol.ts";
import { measure, type Timers } from "./measure.ts";
import type { BenchDescribed, BenchEvent } from "./protocol.ts";

interface BenchDefinition extends BenchDescribed {
  readonly fn: (b: never) => unknown;
  readonly ignore: boolean;
  readonly only: boolean;
  readonly n: number | undefined;
  readonly warmup: number | undefined;
  readonly sanitizeExit: boolean;
}

interface BenchOptions {
  readonly group?: string;
  readonly baseline?: boolean;
  readonly ignore?: boolean;
  readonly only?: boolean;
  readonly n?: number;
  readonly warmup?: number;
  readonly sanitizeExit?: boolean;
}

export class BenchFile {
  readonly #benches: BenchDefinition[] = [];
  readonly #origin: string;
  readonly #options: RunOptions;
  readonly #tell: (event: TestEvent | BenchEvent) => void;
  #begun = false;
  #broken = false;
  #interrupt: ((why: "idle" | "broken") => void) | undefined;

  constructor(origin: string, options: RunOptions, tell: (event: TestEvent | BenchEvent) => void) {
    this.#origin = origin;
    this.#options = options;
    this.#tell = tell;
  }

  /** `Deno.bench`. */
  denoBench(): object {
    const registering = (fixed: BenchOptions) => {
      const register = (first: never, second?: never, third?: TestFunction): void => {
        if (this.#begun) throw new Error("Deno.bench() was called after the file's benchmarks had begun");
        const given = readTest(first, second, third, "Deno.bench()");
        const {
          group,
          baseline = false,
          ignore = false,
          only = false,
          n,
          warmup,
          sanitizeExit = true,
        } = {
          ...(given as BenchOptions),
          ...fixed,
        };
        const { name, fn } = given;
        // Deno reads "" as no group.
        this.#benches.push({
          ...{ name, fn, group: group || undefined, baseline, ignore, only, n, warmup, sanitizeExit },
          at: authorPlace(register),
        });
      };
      return register;
    };
    return Object.assign(registering({}), {
      ignore: registering({ ignore: true }),
      skip: registering({ ignore: true }),
      only: registering({ only: true }),
    });
  }

  /** An error that nobody caught ends the file. */
  uncaught(error: unknown): void {
    this.#broken = true;
    this.#tell({ type: "uncaught", failure: failureOf(error) });
    this.#interrupt?.("broken");
  }

  async run(): Promise<void> {
    this.#begun = true;
    const only = this.#benches.filter((bench) => bench.only);
    const among = only.length > 0 ? only : this.#benches;
    const chosen = among.filter(({ name, ignore }) => !ignore && matches(name, this.#options.filter));
    // Those of no group first, as they are shown.
    const groups = new Set(chosen.map(({ group }) => group));
    groups.delete(undefined);
    const ordered = [undefined, ...groups].flatMap((group) => chosen.filter((bench) => bench.group === group));
    this.#tell({
      type: "benches",
      benches: ordered.map(described),
      filteredOut: this.#benches.length - chosen.length,
      usedOnly: only.length > 0,
    });
    const idle = () => {
      this.#interrupt?.("idle");
      // Else Node would end here, and ask no second time.
      setImmediate(() => {});
    };
    process.on("beforeExit", idle);
    for (const bench of ordered) {
      if (this.#broken) break;
      await this.#one(bench);
    }
    process.off("beforeExit", idle);
  }

  async #one(definition: BenchDefinition): Promise<void> {
    const bench = described(definition);
    this.#tell({ type: "bench wait", bench });
    const release = definition.sanitizeExit ? guardExit() : undefined;
    const interrupted = new Promise<"idle" | "broken">((resolve) => (this.#interrupt = resolve));
    let failure: Failure | undefined;
    try {
      const { name, fn, n, warmup } = definition;
      const timers: Timers = { began: 0, ended: 0, used: false };
      const context = contextOf(name, this.#origin, timers);
      const measuring = measure(() => callBench(fn, context), timers, { n, warmup });
      const stats = await Promise.race([measuring, interrupted]);
      const code = release?.();
      if (code !== undefined) throw new ExitError(`Bench finished with exit code set to ${code}`);
      if (typeof stats === "object") return this.#tell({ type: "bench", bench, stats });
      if (stats === "broken") return;
      failure = plainFailure(stillPending);
    } catch (error) {
      failure = failureOf(error);
    } finally {
      release?.();
      this.#interrupt = undefined;
    }
    this.#tell({ type: "bench", bench, failure });
  }
}

/** Stacks are cut at this name (../failure.ts). */
function callBench(fn: (b: never) => unknown, context: object): unknown {
  return fn(context as never);
}

function described({ name, group, baseline, at }: BenchDefinition): BenchDescribed {
  return { name, group, baseline, at };
}

/** What a benchmark's function is given. */
function contextOf(name: string, origin: string, timers: Timers): object {
  return {
    name,
    origin,
    start() {
      if (timers.began !== 0) throw new TypeError("BenchContext::start() has already been invoked.");
      timers.used = true;
      timers.began = performance.now();
    },
    end() {
      const now = performance.now();
      if (timers.ended !== 0) throw new TypeError("BenchContext::end() has already been invoked.");
      timers.used = true;
      timers.ended = now;
    },
  };
}

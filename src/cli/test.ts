/**
 * `slipway test`: finds the files of tests, bundles each as `run` does, runs each in a process of its own and shows what
 * became of them. docs/test.md tells the whole of it.
 */
import { availableParallelism } from "node:os";
import { BundleError, bundle, render, stopEsbuild } from "../bundle/mod.ts";
import { patternOf } from "../testing/choose.ts";
import { plainFailure } from "../testing/failure.ts";
import { findFiles } from "../testing/files.ts";
import { type FileEvent, HostedFile } from "../testing/host.ts";
import type { Job, RunOptions } from "../testing/protocol.ts";
import { wantsColors } from "../testing/report/colors.ts";
import { PrettyReporter } from "../testing/report/pretty.ts";
import { type FileResults, Results, shownFile } from "../testing/results.ts";
import { Failure, UsageError } from "./errors.ts";

export interface TestOptions {
  readonly filter?: string;
  readonly failFast?: boolean;
  readonly failFastValue?: string;
  readonly shuffle?: boolean;
  readonly shuffleValue?: string;
  readonly parallel?: boolean;
  readonly parallelValue?: string;
  readonly ignore?: readonly string[];
  readonly permitNoFiles?: boolean;
  readonly run?: boolean;
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
  readonly retry?: string;
  readonly repeats?: string;
}

/** Runs the tests; ends the process with 0 when all is well, else 1. */
export async function test(named: readonly string[], options: TestOptions, args: readonly string[]): Promise<void> {
  checkFilter(options.filter);
  const { files, missing } = findFiles(named, "test", options.ignore);
  if (missing.length > 0) throw new Failure(`there is no file ${missing[0]}: name files or folders of tests`);
  if (files.length === 0 && !options.permitNoFiles) {
    throw new Failure(
      "no test files here or below: they are called test.ts, name_test.ts or name.test.ts; see slipway help test",
    );
  }
  const run = new TestRun(files, runOptions(options), args, jobsOf(options), options.run === false);
  process.on("SIGINT", () => run.interrupt());
  process.exit(await run.finish());
}

class TestRun {
  readonly #files: readonly string[];
  readonly #options: RunOptions;
  readonly #args: readonly string[];
  readonly #jobs: number;
  readonly #onlyBuild: boolean;
  readonly #results: Results;
  readonly #hosted = new Set<HostedFile>();
  readonly #shown: FileResults[] = [];
  readonly #began = performance.now();
  #failures = 0;

  constructor(
    files: readonly string[],
    options: RunOptions,
    args: readonly string[],
    jobs: number,
    onlyBuild: boolean,
  ) {
    this.#files = files;
    this.#options = options;
    this.#args = args;
    this.#jobs = jobs;
    this.#onlyBuild = onlyBuild;
    const write = (text: string | Uint8Array) => void process.stdout.write(text);
    this.#results = new Results([new PrettyReporter(write, wantsColors(process.stdout))]);
  }

  /** Runs everything; gives the exit code. */
  async finish(): Promise<number> {
    // Files run beside each other, but are shown one after the other: what happens in later ones is kept until then.
    const waiting = this.#files.map(() => ({ events: [] as FileEvent[], done: false }));
    const results = this.#files.map((file) => this.#results.file(shownFile(file)));
    this.#shown.push(...results);
    let shown = 0;
    const sink = (index: number) => (event: FileEvent) => {
      if (index === shown) results[index].event(event);
      else waiting[index].events.push(event);
      if (event.type === "gone") waiting[index].done = true;
      while (shown < waiting.length && waiting[shown].done) {
        shown++;
        for (const kept of waiting[shown]?.events.splice(0) ?? []) results[shown].event(kept);
      }
    };
    let next = 0;
    const worker = async () => {
      while (next < this.#files.length) {
        const index = next++;
        const { failFast } = this.#options;
        this.#failures = results.reduce((sum, { failures }) => sum + failures, 0);
        if (failFast !== undefined && this.#failures >= failFast) {
          sink(index)({ type: "gone", how: undefined });
          continue;
        }
        await this.#runFile(this.#files[index], sink(index));
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#jobs, this.#files.length) }, worker));
    await stopEsbuild();
    if (!this.#onlyBuild || this.#results.failed) this.#results.end(performance.now() - this.#began);
    return this.#results.failed || this.#results.usedOnly ? 1 : 0;
  }

  /** Ctrl-C: what ran is told, with the results so far. */
  interrupt(): void {
    for (const hosted of this.#hosted) hosted.kill();
    const pending = this.#shown.flatMap((file) => file.pending);
    this.#results.end(performance.now() - this.#began, pending);
    process.exit(130);
  }

  async #runFile(file: string, sink: (event: FileEvent) => void): Promise<void> {
    let job: Job;
    try {
      const built = await bundle(file, { main: false });
      const { code, map, entry, provided, root, packaged } = built;
      const failFast = this.#options.failFast === undefined ? undefined : this.#options.failFast - this.#failures;
      job = {
        bundle: { code, map, entry, provided, root, packaged },
        entry: file,
        args: this.#args,
        options: { ...this.#options, failFast },
      };
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      sink({ type: "uncaught", failure: plainFailure(render(error)) });
      return sink({ type: "gone", how: undefined });
    }
    if (this.#onlyBuild) return sink({ type: "gone", how: undefined });
    const hosted = new HostedFile(job, sink);
    this.#hosted.add(hosted);
    await hosted.finished;
    this.#hosted.delete(hosted);
  }
}

function checkFilter(filter: string | undefined): void {
  if (filter === undefined) return;
  try {
    patternOf(filter);
  } catch (error) {
    throw new UsageError(`--filter ${filter}: ${(error as Error).message}; see slipway help test`);
  }
}

function runOptions(options: TestOptions): RunOptions {
  const { filter, failFast, failFastValue, shuffle, shuffleValue, retry, repeats } = options;
  const { sanitizeOps, sanitizeResources } = options;
  const count = failFastValue === undefined ? (failFast ? 1 : undefined) : number("--fail-fast", failFastValue, 1);
  const random = shuffle ? Math.floor(Math.random() * 2 ** 31) : undefined;
  return {
    filter,
    sanitizeOps,
    sanitizeResources,
    failFast: count,
    shuffle: shuffleValue === undefined ? random : number("--shuffle", shuffleValue, 0),
    retry: retry === undefined ? undefined : number("--retry", retry, 0),
    repeats: repeats === undefined ? undefined : number("--repeats", repeats, 0),
  };
}

/** How many files at a time. */
function jobsOf({ parallel, parallelValue }: TestOptions): number {
  if (parallelValue !== undefined) return number("--parallel", parallelValue, 1);
  return parallel ? availableParallelism() : 1;
}

function number(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value)) {
    throw new UsageError(`${flag}=${text}: a whole number of at least ${least} is needed; see slipway help test`);
  }
  return value;
}

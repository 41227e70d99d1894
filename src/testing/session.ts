/** One run of all files: bundles each, runs it in a process of its own, and counts and shows what happens there. */
import { type Bundle, BundleError, bundle, render } from "../bundle/mod.ts";
import { askedProject } from "../bundle/project.ts";
import type { Coverage } from "./coverage/map.ts";
import { plainFailure } from "./failure.ts";
import { type FileEvent, HostedFile } from "./host.ts";
import type { Job, RunOptions } from "./protocol.ts";
import { type FileResults, type Reporter, Results, shownFile } from "./results.ts";

export interface SessionOptions {
  /** Absolute paths. */
  readonly files: readonly string[];
  readonly run: RunOptions;
  /** What programs find in Deno.args. */
  readonly args: readonly string[];
  /** How many files at a time. */
  readonly jobs: number;
  readonly reporters: readonly Reporter[];
  /** Bundles, and runs nothing. */
  readonly onlyBuild?: boolean;
  /** Bundles that were made already, by path: of a file that is watched. */
  readonly built?: ReadonlyMap<string, Bundle>;
}

export class Session {
  readonly results: Results;
  /** What ran of the sources, where that was asked for. */
  readonly coverage: Coverage = new Map();
  /** Files whose tests failed. */
  readonly failed = new Set<string>();
  readonly #options: SessionOptions;
  readonly #hosted = new Set<HostedFile>();
  readonly #files: readonly FileResults[];
  readonly #began = performance.now();
  #stopped = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.results = new Results(options.reporters);
    this.#files = options.files.map((file) => this.results.file(shownFile(file)));
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** Runs everything; false when it was stopped. */
  async finish(): Promise<boolean> {
    const { files, jobs, run, onlyBuild } = this.#options;
    const sinkOf = inOrder(this.#files);
    let next = 0;
    const worker = async () => {
      while (next < files.length && !this.#stopped) {
        const index = next++;
        const sink = sinkOf(index);
        const { failFast } = run;
        if (failFast !== undefined && this.#failures() >= failFast) sink({ type: "gone", how: undefined });
        else await this.#runFile(files[index], sink);
        if (this.#files[index].failures > 0) this.failed.add(files[index]);
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, worker));
    if (this.#stopped) return false;
    if (!onlyBuild || this.results.failed) this.results.end(this.elapsedMs);
    return true;
  }

  /** Ends what runs. */
  stop(): void {
    this.#stopped = true;
    for (const hosted of this.#hosted) hosted.kill();
  }

  /** Ctrl-C: tells what ran, with the results so far. */
  interrupt(): void {
    this.#stopped = true;
    const pending = this.#files.flatMap((file) => file.pending);
    this.results.end(this.elapsedMs, pending);
    for (const hosted of this.#hosted) hosted.kill();
  }

  #failures(): number {
    return this.#files.reduce((sum, { failures }) => sum + failures, 0);
  }

  async #runFile(file: string, sink: (event: FileEvent) => void): Promise<void> {
    const { args, run, onlyBuild, built } = this.#options;
    let job: Job;
    try {
      const {
        inputs: _,
        warnings: __,
        borrowed: ___,
        ...made
      } = built?.get(file) ?? (await buildTest(file, run.coverage));
      const failFast = run.failFast === undefined ? undefined : run.failFast - this.#failures();
      job = { kind: "test", bundle: made, project: askedProject(), entry: file, args, options: { ...run, failFast } };
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      sink({ type: "uncaught", failure: plainFailure(render(error)) });
      return sink({ type: "gone", how: undefined });
    }
    if (onlyBuild || this.#stopped) return sink({ type: "gone", how: undefined });
    const { addCoverage } = run.coverage ? await import("./coverage/map.ts") : {};
    let gone: FileEvent | undefined;
    const hosted = new HostedFile(job, (event) => {
      if (this.#stopped) return;
      if (event.type === "gone") gone = event;
      else if (event.type === "coverage") addCoverage?.(this.coverage, job, event.functions, this.#isSource);
      else sink(event);
    });
    this.#hosted.add(hosted);
    await hosted.finished;
    this.#hosted.delete(hosted);
    // Ctrl-C at a terminal reaches it and us, in any order: what ran then was interrupted, and is no failure.
    if (gone?.type === "gone" && gone.how === "SIGINT")
      await new Promise((resolve) => setTimeout(resolve, interruptMs));
    if (gone !== undefined && !this.#stopped) sink(gone);
  }

  /** Coverage is of what is tested, and not of tests. */
  readonly #isSource = (path: string): boolean =>
    /\.(?:[cm]?[jt]s|[jt]sx)$/.test(path) &&
    !/(?:^|[._/])test\.\w+$|\/__tests__\//.test(path) &&
    !this.#options.files.includes(path);
}

const interruptMs = 200;

/** A file of tests in one piece. */
export function buildTest(file: string, whole = false): Promise<Bundle> {
  return bundle(file, { main: false, whole });
}

/** Files run beside each other, but are shown one after the other: what happens in later ones is kept until then. */
function inOrder(files: readonly FileResults[]): (index: number) => (event: FileEvent) => void {
  const kept = files.map(() => ({ events: [] as FileEvent[], done: false }));
  let shown = 0;
  return (index) => (event) => {
    if (index === shown) files[index].event(event);
    else kept[index].events.push(event);
    if (event.type === "gone") kept[index].done = true;
    while (shown < kept.length && kept[shown].done) {
      shown++;
      for (const late of kept[shown]?.events.splice(0) ?? []) files[shown].event(late);
    }
  };
}

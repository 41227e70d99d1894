/** `slipway test --watch`: runs the tests again on save, those files first and only whose own sources changed or that failed. */
import { type Bundle, BundleError } from "../bundle/mod.ts";
import { buildTest, type Session } from "../testing/session.ts";
import { Failure } from "./errors.ts";
import { tell } from "./output.ts";
import { SourceWatch } from "./source-watch.ts";

/** Runs until a signal ends it. `find` gives the files of tests that there are now. */
export async function watchTests(
  find: () => readonly string[],
  start: (files: readonly string[], built: ReadonlyMap<string, Bundle>) => Session,
): Promise<void> {
  const watcher = new TestWatch(find, start);
  process.on("SIGINT", () => watcher.end(130));
  process.on("SIGTERM", () => watcher.end(143));
  // What is wrong with the command line is wrong at once.
  find();
  await watcher.changed();
}

class TestWatch {
  readonly #find: () => readonly string[];
  readonly #start: (files: readonly string[], built: ReadonlyMap<string, Bundle>) => Session;
  readonly #sources = new SourceWatch(() => void this.changed());
  /** What ran last, by file. */
  readonly #ran = new Map<string, Bundle>();
  /** Files that must run again whatever changed. */
  #again = new Set<string>();
  #session: Session | undefined;
  #busy = false;
  #due = false;

  constructor(
    find: () => readonly string[],
    start: (files: readonly string[], built: ReadonlyMap<string, Bundle>) => Session,
  ) {
    this.#find = find;
    this.#start = start;
  }

  /** A file was saved: what runs is out of date. */
  async changed(): Promise<void> {
    this.#due = true;
    this.#session?.stop();
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#due) {
        this.#due = false;
        await this.#round();
      }
    } finally {
      this.#busy = false;
    }
  }

  end(code: number): void {
    this.#session?.interrupt();
    process.exit(code);
  }

  async #round(): Promise<void> {
    let files: readonly string[];
    try {
      files = this.#find();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return say(error.message);
    }
    const built = new Map<string, Bundle>();
    const inputs = new Set<string>(files);
    const run: string[] = [];
    for (const file of files) {
      const before = this.#ran.get(file);
      try {
        const now = await buildTest(file);
        built.set(file, now);
        for (const input of now.inputs) inputs.add(input);
        if (!same(before, now) || this.#again.has(file)) run.push(file);
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        // What the last good version was made of is where it may heal.
        for (const input of before?.inputs ?? []) inputs.add(input);
        for (const { file: broken } of error.problems)
          if (broken !== undefined) inputs.add(new URL(broken, `file://${file}`).pathname);
        run.push(file);
      }
    }
    this.#sources.files(inputs);
    if (run.length === 0) return say("nothing that is tested has changed");
    this.#session = this.#start(run, built);
    const done = await this.#session.finish();
    for (const file of run) {
      const bundle = built.get(file);
      if (bundle !== undefined) this.#ran.set(file, bundle);
    }
    this.#again = done ? this.#session.failed : new Set(run);
    this.#session = undefined;
    if (!this.#due) say("waiting for a change");
  }
}

function same(a: Bundle | undefined, b: Bundle): boolean {
  return a !== undefined && a.code === b.code && a.map === b.map;
}

function say(line: string): void {
  tell(`slipway: ${line}\n`);
}

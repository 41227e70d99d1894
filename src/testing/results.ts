/** What became of all tests, as it is counted, and handed on to whoever shows it. */
import { plainFailure } from "./failure.ts";
import type { FileEvent } from "./host.ts";
import type { Described, Failure, Outcome, TestEvent } from "./protocol.ts";

export interface Counts {
  passed: number;
  failed: number;
  ignored: number;
}

/** Something that failed, with how it is called. */
export interface Failed {
  /** `name ... step => ./x_test.ts:3:6`. */
  readonly title: string;
  readonly failure: Failure;
  /** Of a file, no test's. */
  readonly uncaught: boolean;
}

/** A test or step, with its names from the outside in. */
export interface Named extends Described {
  /** How its file is shown. */
  readonly file: string;
  readonly path: readonly string[];
  readonly level: number;
}

/** What reporters see: output, and the protocol's events with names. */
export type ReportEvent =
  | { readonly type: "plan"; readonly file: string; readonly total?: number; readonly filteredOut: number }
  | { readonly type: "wait"; readonly test: Named }
  | { readonly type: "output"; readonly file: string; readonly bytes: Uint8Array }
  | { readonly type: "retry"; readonly test: Named; readonly attempt: number; readonly message: string }
  | { readonly type: "uncaught"; readonly file: string; readonly failure: Failure }
  | (Omit<Extract<TestEvent, { type: "result" }>, "test"> & { readonly test: Named })
  /** The file is done. */
  | { readonly type: "done"; readonly file: string };

export interface Reporter {
  event(event: ReportEvent): void;
  /** All files are done, or were given up. `interrupted`: what ran when somebody pressed Ctrl-C. */
  end(results: Results, elapsedMs: number, interrupted?: readonly Named[]): void;
}

export class Results {
  readonly tests: Counts = { passed: 0, failed: 0, ignored: 0 };
  readonly steps: Counts = { passed: 0, failed: 0, ignored: 0 };
  readonly failures: Failed[] = [];
  filteredOut = 0;
  /** Tests that asked for less than all permissions, and ran with all. */
  restricted = 0;
  flaky = 0;
  usedOnly = false;
  readonly #reporters: readonly Reporter[];

  constructor(reporters: readonly Reporter[]) {
    this.#reporters = reporters;
  }

  /** Somebody pressed Ctrl-C. */
  interrupted = false;

  get failed(): boolean {
    return this.interrupted || this.failures.length > 0 || this.tests.failed > 0;
  }

  /** One that takes the events of a file, by the name that is shown. */
  file(name: string): FileResults {
    return new FileResults(name, this, (event) => {
      for (const reporter of this.#reporters) reporter.event(event);
    });
  }

  end(elapsedMs: number, interrupted?: readonly Named[]): void {
    this.interrupted = interrupted !== undefined;
    for (const reporter of this.#reporters) reporter.end(this, elapsedMs, interrupted);
  }
}

export class FileResults {
  readonly name: string;
  readonly #all: Results;
  readonly #report: (event: ReportEvent) => void;
  readonly #named = new Map<number, Named>();
  /** Tests and steps that have begun. */
  readonly #open = new Set<number>();
  #planned: number | undefined;
  #told = 0;
  /** Failed tests, and failures of the file itself. */
  failures = 0;
  #uncaught = false;

  constructor(name: string, all: Results, report: (event: ReportEvent) => void) {
    this.name = name;
    this.#all = all;
    this.#report = report;
  }

  /** What runs now, the innermost step of each test. */
  get pending(): Named[] {
    const open = [...this.#open].map((id) => this.#named.get(id)).filter((named) => named !== undefined);
    return open.filter(({ id }) => !open.some(({ parent }) => parent === id));
  }

  event(event: FileEvent): void {
    const file = this.name;
    switch (event.type) {
      case "output":
        return this.#report({ ...event, file });
      case "plan":
        this.#planned = event.total;
        this.#all.filteredOut += event.filteredOut;
        this.#all.usedOnly ||= event.usedOnly;
        this.#all.restricted += event.restricted ?? 0;
        return this.#report({ type: "plan", file, total: event.total, filteredOut: event.filteredOut });
      case "wait":
        this.#open.add(event.test.id);
        return this.#report({ type: "wait", test: this.#name(event.test) });
      case "retry":
        return this.#report({ ...event, test: this.#name(event.test) });
      case "result":
        return this.#result(event);
      case "uncaught":
        return this.#fileFailed(event.failure);
      case "gone":
        this.#gone(event.how);
        return this.#report({ type: "done", file });
      default:
        return;
    }
  }

  #result(event: Extract<TestEvent, { type: "result" }>): void {
    const { outcome, failure } = event;
    const test = this.#name(event.test);
    this.#open.delete(test.id);
    const isStep = test.parent !== undefined;
    if (!isStep) this.#told++;
    count(isStep ? this.#all.steps : this.#all.tests, outcome);
    if (!isStep && outcome === "failed") this.failures++;
    if (event.flaky) this.#all.flaky++;
    if (failure !== undefined) this.#all.failures.push({ title: titleOf(test), failure, uncaught: false });
    this.#report({ ...event, test });
  }

  #fileFailed(failure: Failure): void {
    this.#uncaught = true;
    this.failures++;
    this.#all.tests.failed++;
    this.#all.failures.push({ title: `${this.name} (uncaught error)`, failure, uncaught: true });
    this.#report({ type: "uncaught", file: this.name, failure });
  }

  /** Its process is no more. What it had not told by then failed. */
  #gone(how: string | undefined): void {
    if (how === undefined) return;
    const why = /^Test timed out/.test(how) ? how : `the process of this file ended (${how}) while this ran`;
    const open = [...this.#open].map((id) => this.#named.get(id)).filter((named) => named !== undefined);
    for (const { file: _file, path: _path, level: _level, ...test } of open.toReversed()) {
      const inner = !open.some(({ parent }) => parent === test.id);
      const failure = inner ? plainFailure(why) : undefined;
      this.#result({ type: "result", test, outcome: "failed", elapsed: 0, failure, failedSteps: inner ? 0 : 1 });
    }
    if (open.length === 0 && !this.#uncaught) {
      this.#fileFailed(plainFailure(`the process of this file ended (${how}) before it had told all its results`));
    }
    const lost = this.#uncaught && this.#told === 0 ? 0 : (this.#planned ?? 0) - this.#told;
    if (lost <= 0) return;
    this.#all.tests.failed += lost;
    const failure = plainFailure(`${lost} ${lost === 1 ? "test" : "tests"} of this file could not run any more`);
    this.#all.failures.push({ title: this.name, failure, uncaught: true });
    this.#report({ type: "uncaught", file: this.name, failure });
  }

  #name(test: Described): Named {
    const known = this.#named.get(test.id);
    if (known !== undefined) return known;
    const parent = test.parent === undefined ? undefined : this.#named.get(test.parent);
    const path = [...(parent?.path ?? []), printableName(test.name)];
    const named = { ...test, file: this.name, path, level: path.length - 1 };
    this.#named.set(test.id, named);
    return named;
  }
}

function count(counts: Counts, outcome: Outcome): void {
  if (outcome === "ok") counts.passed++;
  else if (outcome === "ignored") counts.ignored++;
  else counts.failed++;
}

function titleOf(test: Named): string {
  const { at } = test;
  const name = test.path.join(" ... ");
  return at === undefined ? name : `${name} => ${shownPlace(test)}`;
}

/** `./x_test.ts:3:6`. */
export function shownPlace({ at, file }: Named): string {
  if (at === undefined) return file;
  return `${shownFile(at.file)}:${at.line}:${at.column}`;
}

/** A file from the current folder, as Deno writes it. */
export function shownFile(path: string): string {
  const { relative } = process.getBuiltinModule("node:path");
  const near = relative(process.cwd(), path);
  return near.startsWith("..") || near === "" ? path : `./${near}`;
}

/** Names are one line. */
function printableName(name: string): string {
  return name.replace(/[\x00-\x1f\x7f]/g, (char) => {
    const known: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
    return known[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

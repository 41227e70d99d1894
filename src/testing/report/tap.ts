/** The Test Anything Protocol, version 14 (testanything.org): for programs that read results as they come. */
import type { Failure } from "../protocol.ts";
import type { Named, ReportEvent, Reporter, Results } from "../results.ts";
import { failureText } from "./pretty.ts";

type Ended = Extract<ReportEvent, { type: "result" }>;

export class TapReporter implements Reporter {
  readonly #write: (text: string) => void;
  /** Steps are shown in front of what they are steps of, when that has ended. */
  readonly #steps = new Map<string, Ended[]>();
  #count = 0;
  #begun = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  event(event: ReportEvent): void {
    this.#begin();
    switch (event.type) {
      case "plan":
        return this.#line(`# ${escaped(event.file)}`);
      case "output":
        return this.#comment(Buffer.from(event.bytes).toString());
      case "uncaught":
        return this.#point(false, `${event.file} (uncaught error)`, 0, event.failure, event.file);
      case "result": {
        if (event.test.level === 0) return this.#test(event);
        const key = parentOf(event.test);
        const known = this.#steps.get(key);
        if (known === undefined) this.#steps.set(key, [event]);
        else known.push(event);
        return;
      }
      default:
        return;
    }
  }

  end(_results: Results, _elapsedMs: number, interrupted?: readonly Named[]): void {
    this.#begin();
    for (const test of interrupted ?? []) this.#line(`Bail out! interrupted: ${escaped(test.path.join(" ... "))}`);
    if (interrupted?.length === 0) this.#line("Bail out! interrupted");
    this.#line(`1..${this.#count}`);
  }

  #begin(): void {
    if (!this.#begun) this.#line("TAP version 14");
    this.#begun = true;
  }

  #test(event: Ended): void {
    this.#nested(event, 0);
    this.#result(event, 0, ++this.#count);
  }

  #nested(event: Ended, level: number): void {
    const key = `${event.test.file}:${event.test.id}`;
    const steps = this.#steps.get(key);
    if (steps === undefined) return;
    this.#steps.delete(key);
    this.#line(`# Subtest: ${escaped(event.test.path[event.test.level])}`, level);
    for (const [index, step] of steps.entries()) {
      this.#nested(step, level + 1);
      this.#result(step, level + 1, index + 1);
    }
    this.#line(`1..${steps.length}`, level + 1);
  }

  #result({ test, outcome, failure, failedSteps = 0 }: Ended, level: number, number: number): void {
    const name = escaped(test.path[test.level]);
    if (outcome === "ok") return this.#line(`ok ${number} - ${name}`, level);
    if (outcome === "ignored") return this.#line(`ok ${number} - ${name} # SKIP`, level);
    const steps = `${failedSteps} test ${failedSteps === 1 ? "step" : "steps"} failed.`;
    const why = failure ?? { message: outcome === "cancelled" ? "cancelled" : steps, stack: "" };
    this.#line(`not ok ${number} - ${name}`, level);
    this.#diagnostic(why, level, test.file, test.at?.line);
  }

  #point(ok: boolean, name: string, level: number, failure: Failure, file: string): void {
    this.#line(`${ok ? "ok" : "not ok"} ${++this.#count} - ${escaped(name)}`, level);
    this.#diagnostic(failure, level, file);
  }

  /** YAML, of which JSON is a part. */
  #diagnostic(failure: Failure, level: number, file: string, line?: number): void {
    const at = { file, ...(line !== undefined && { line }) };
    this.#line("  ---", level);
    this.#line(`  ${JSON.stringify({ message: failureText(failure), severity: "fail", at })}`, level);
    this.#line("  ...", level);
  }

  #comment(text: string): void {
    for (const line of text.replace(/\n$/, "").split("\n")) this.#line(`# ${line}`);
  }

  #line(text: string, level = 0): void {
    this.#write(`${"    ".repeat(level)}${text}\n`);
  }
}

function parentOf({ file, parent }: Named): string {
  return `${file}:${parent}`;
}

/** `#` begins a directive. */
function escaped(text: string): string {
  return text.replace(/[\\#]/g, "\\$&");
}

/** Results as they come, for people, in the form that `deno test` gives them. */
import { codeFrame } from "../failure.ts";
import type { Failure } from "../protocol.ts";
import {
  type Counts,
  type Failed,
  type Named,
  type ReportEvent,
  type Reporter,
  type Results,
  shownPlace,
} from "../results.ts";
import { type Paint, painting } from "./colors.ts";

export class PrettyReporter implements Reporter {
  readonly #write: (text: string | Uint8Array) => void;
  readonly #paint: Paint;
  /** At the beginning of a line. */
  #fresh = true;
  /** The name that stands on the unfinished line. */
  #open: string | undefined;
  /** Inside of what tests wrote. */
  #output: "output" | "pre-test output" | "post-test output" | undefined;
  /** Tests of the file at hand have begun. */
  #begun: "before" | "during" | "after" = "before";
  #running = 0;

  constructor(write: (text: string | Uint8Array) => void, colors: boolean) {
    this.#write = write;
    this.#paint = painting(colors);
  }

  event(event: ReportEvent): void {
    switch (event.type) {
      case "plan":
        this.#endOutput();
        this.#begun = "before";
        this.#line(this.#paint.gray(`running ${howMany(event.total)} from ${event.file}`));
        return;
      case "output":
        return this.#print(event.bytes);
      case "wait":
        this.#begun = "during";
        this.#running++;
        this.#endOutput();
        this.#begin(event.test);
        return;
      case "retry":
        this.#endOutput();
        if (this.#open !== keyOf(event.test)) this.#begin(event.test);
        this.#finish(
          this.#paint.yellow(`retrying (attempt ${event.attempt} failed) (${event.message.split("\n")[0]})`),
        );
        return;
      case "result":
        return this.#result(event);
      case "uncaught":
        this.#endOutput();
        this.#freshLine();
        this.#line(`${this.#paint.gray("Uncaught error from")} ${event.file} ${this.#paint.red("FAILED")}`);
        return;
      case "done":
        this.#endOutput();
        this.#freshLine();
        this.#begun = "before";
        return;
    }
  }

  end(results: Results, elapsedMs: number, interrupted?: readonly Named[]): void {
    const paint = this.#paint;
    this.#endOutput();
    this.#freshLine();
    if (results.failures.length > 0) {
      this.#heading("ERRORS");
      for (const failed of results.failures) this.#line(`${failedText(failed, paint)}\n`);
      this.#heading("FAILURES", false);
      for (const { title } of results.failures) this.#line(titleText(title, paint));
    }
    if (interrupted !== undefined) {
      this.#line("");
      this.#line(`${paint.red("interrupted")} while this was running:`);
      for (const test of interrupted)
        this.#line(`  ${test.path.join(" ... ")} ${paint.gray(`=> ${shownPlace(test)}`)}`);
      if (interrupted.length === 0) this.#line("  no test");
    }
    if (results.restricted > 0) {
      const these = results.restricted === 1 ? "1 test asks" : `${results.restricted} tests ask`;
      this.#line(`\n${paint.yellow("note")}: ${these} for permissions; Slipway has none, and ran with all of them`);
    }
    this.#line(`\n${summaryText(results, elapsedMs, paint)}\n`);
    if (results.usedOnly && !results.failed) {
      this.#line(`${paint.red("error")}: Test failed because the "only" option was used`);
    }
  }

  #result({ test, outcome, elapsed, failedSteps = 0, incomplete }: Extract<ReportEvent, { type: "result" }>): void {
    this.#running--;
    if (this.#running === 0) this.#begun = "after";
    this.#endOutput();
    const paint = this.#paint;
    if (this.#open !== keyOf(test)) {
      this.#freshLine();
      this.#begin(test);
    }
    const due = failedSteps > 0 ? ` (due to ${failedSteps} failed ${failedSteps === 1 ? "step" : "steps"})` : "";
    const words = {
      ok: paint.green("ok"),
      ignored: paint.yellow("ignored"),
      failed: incomplete ? paint.gray("INCOMPLETE") : paint.red(`FAILED${due}`),
      cancelled: paint.gray("cancelled"),
    };
    this.#finish(`${words[outcome]}${incomplete ? "" : ` ${paint.gray(`(${duration(elapsed)})`)}`}`);
  }

  #begin(test: Named): void {
    this.#freshLine();
    this.#write(`${"  ".repeat(test.level)}${test.path[test.level]} ...`);
    this.#fresh = false;
    this.#open = keyOf(test);
  }

  #finish(text: string): void {
    this.#write(` ${text}\n`);
    this.#fresh = true;
    this.#open = undefined;
  }

  #print(bytes: Uint8Array): void {
    if (this.#output === undefined) {
      this.#output = ({ before: "pre-test output", during: "output", after: "post-test output" } as const)[this.#begun];
      this.#freshLine();
      this.#line(this.#paint.gray(`------- ${this.#output} -------`));
    }
    this.#write(bytes);
    this.#fresh = bytes.at(-1) === 0x0a;
    this.#open = undefined;
  }

  #endOutput(): void {
    if (this.#output === undefined) return;
    this.#freshLine();
    this.#line(this.#paint.gray(`----- ${this.#output} end -----`));
    this.#output = undefined;
  }

  #freshLine(): void {
    if (!this.#fresh) this.#write("\n");
    this.#fresh = true;
    this.#open = undefined;
  }

  #line(text: string): void {
    this.#write(`${text}\n`);
  }

  #heading(text: string, above = true): void {
    this.#line(`${above ? "\n" : ""} ${this.#paint.heading(text)} \n`);
  }
}

function howMany(total: number | undefined): string {
  if (total === undefined) return "tests";
  return `${total} ${total === 1 ? "test" : "tests"}`;
}

function keyOf(test: Named): string {
  return `${test.file}:${test.id}`;
}

function titleText(title: string, paint: Paint): string {
  const at = title.lastIndexOf(" => ");
  return at < 0 ? title : title.slice(0, at) + paint.gray(title.slice(at));
}

/** A failure with its title, for any reporter. */
export function failedText(failed: Failed, paint: Paint = painting(false)): string {
  const note =
    failed.uncaught && failed.title.endsWith("(uncaught error)") && failed.failure.stack !== ""
      ? `\n${notOfATest}`
      : "";
  return `${titleText(failed.title, paint)}\n${paint.red("error")}: ${failureText(failed.failure, paint)}${note}`;
}

export function failureText(failure: Failure, paint: Paint = painting(false)): string {
  const frame = codeFrame(failure.at).replace(/^ *\^\n$/m, (caret) => paint.red(caret));
  return [`${failure.message}`, frame.trimEnd(), failure.stack].filter((part) => part !== "").join("\n");
}

const notOfATest =
  "This error was not caught from a test and caused the test runner to fail on the referenced module.\n" +
  "It most likely originated from a dangling promise, event/timeout handler or top-level code.";

/** `ok | 3 passed (1 step) | 0 failed | 1 ignored (12ms)`. */
export function summaryText(results: Results, elapsedMs: number, paint: Paint = painting(false)): string {
  const { tests, steps, filteredOut, flaky, failed } = results;
  const parts = [failed ? paint.red("FAILED") : paint.green("ok")];
  const add = (kind: keyof Counts, always: boolean) => {
    if (!always && tests[kind] === 0 && steps[kind] === 0) return;
    const inner = steps[kind] > 0 ? ` (${steps[kind]} ${steps[kind] === 1 ? "step" : "steps"})` : "";
    parts.push(`${tests[kind]} ${kind}${inner}`);
  };
  add("passed", true);
  add("failed", true);
  if (flaky > 0) parts.push(`${flaky} flaky`);
  add("ignored", false);
  if (filteredOut > 0) parts.push(`${filteredOut} filtered out`);
  return `${parts.join(" | ")} ${paint.gray(`(${duration(elapsedMs * 1000)})`)}`;
}

/** Microseconds for people: `295µs`, `3ms`, `1s`, `1m3s`. */
export function duration(us: number): string {
  if (us === 0) return "0ms";
  if (us < 1000) return `${Math.round(us)}µs`;
  if (us < 1e6) return `${Math.round(us / 1000)}ms`;
  const seconds = Math.floor(us / 1e6);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

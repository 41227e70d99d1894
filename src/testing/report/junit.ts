/** JUnit's XML, as CI servers read it: a suite a file, a case a test and a step. */
import type { Failure } from "../protocol.ts";
import type { Named, ReportEvent, Reporter, Results } from "../results.ts";
import { failureText } from "./pretty.ts";

type Ended = Extract<ReportEvent, { type: "result" }>;

interface Suite {
  readonly cases: string[];
  output: string;
  failures: number;
  errors: number;
  skipped: number;
}

/** Of what a file's tests write, as much as somebody reads. */
const MOST_OUTPUT = 64 * 1024;

export class JunitReporter implements Reporter {
  readonly #write: (xml: string) => void;
  readonly #suites = new Map<string, Suite>();

  /** `write` is given the whole at the end. */
  constructor(write: (xml: string) => void) {
    this.#write = write;
  }

  event(event: ReportEvent): void {
    switch (event.type) {
      case "plan":
        return void this.#suite(event.file);
      case "output": {
        const suite = this.#suite(event.file);
        if (suite.output.length < MOST_OUTPUT) suite.output += Buffer.from(event.bytes).toString();
        return;
      }
      case "uncaught": {
        const suite = this.#suite(event.file);
        suite.errors++;
        suite.cases.push(
          testCase(`${event.file} (uncaught error)`, event.file, 0, "", failureXml("error", event.failure)),
        );
        return;
      }
      case "result":
        return this.#result(event);
      default:
        return;
    }
  }

  end(_results: Results, elapsedMs: number, interrupted?: readonly Named[]): void {
    for (const test of interrupted ?? []) {
      const suite = this.#suite(test.file);
      suite.errors++;
      const inner = failureXml("error", { message: "interrupted while this was running", stack: "" });
      suite.cases.push(testCase(test.path.join(" > "), test.file, 0, place(test), inner));
    }
    const all = [...this.#suites.values()];
    const sum = (key: "failures" | "errors" | "skipped") => all.reduce((total, suite) => total + suite[key], 0);
    const tests = all.reduce((total, { cases }) => total + cases.length, 0);
    const lines = [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites name="slipway test" tests="${tests}" failures="${sum("failures")}" errors="${sum("errors")}" time="${(elapsedMs / 1000).toFixed(3)}">`,
    ];
    for (const [file, { cases, output, failures, errors, skipped }] of this.#suites) {
      lines.push(
        `  <testsuite name="${escaped(file)}" tests="${cases.length}" failures="${failures}" errors="${errors}" skipped="${skipped}">`,
        ...cases,
      );
      if (output !== "") lines.push(`    <system-out>${escaped(output)}</system-out>`);
      lines.push("  </testsuite>");
    }
    lines.push("</testsuites>", "");
    this.#write(lines.join("\n"));
  }

  #suite(file: string): Suite {
    let suite = this.#suites.get(file);
    if (suite === undefined) {
      this.#suites.set(file, (suite = { cases: [], output: "", failures: 0, errors: 0, skipped: 0 }));
    }
    return suite;
  }

  #result({ test, outcome, elapsed, failure, failedSteps = 0 }: Ended): void {
    const suite = this.#suite(test.file);
    let inner: string | undefined;
    if (outcome === "ignored") {
      suite.skipped++;
      inner = "      <skipped/>";
    } else if (outcome !== "ok") {
      suite.failures++;
      const steps = `${failedSteps} test ${failedSteps === 1 ? "step" : "steps"} failed`;
      const message = outcome === "cancelled" ? "cancelled: an error outside of any test ended the file" : steps;
      inner = failureXml("failure", failure ?? { message, stack: "" });
    }
    suite.cases.push(testCase(test.path.join(" > "), test.file, elapsed, place(test), inner));
  }
}

function testCase(name: string, file: string, elapsedUs: number, at: string, inner?: string): string {
  const seconds = (elapsedUs / 1e6).toFixed(3);
  const head = `    <testcase name="${escaped(name)}" classname="${escaped(file)}" time="${seconds}"${at}`;
  return inner === undefined ? `${head}/>` : `${head}>\n${inner}\n    </testcase>`;
}

function place({ at }: Named): string {
  return at === undefined ? "" : ` line="${at.line}" col="${at.column}"`;
}

function failureXml(tag: "failure" | "error", failure: Failure): string {
  const [first] = failure.message.split("\n");
  return `      <${tag} message="${escaped(first)}">${escaped(failureText(failure))}</${tag}>`;
}

/** XML 1.0 has no place for most control characters, not even escaped (section 2.2). */
function escaped(text: string): string {
  return text
    .replace(/\x1b\[[\d;]*m/g, "")
    .replace(
      /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      "\ufffd",
    )
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

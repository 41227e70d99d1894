/** A character a test: `.` passed, `!` failed, `,` ignored. What tests write is not shown; failures are, at the end. */
import type { Named, ReportEvent, Reporter, Results } from "../results.ts";
import { PrettyReporter } from "./pretty.ts";

const LINE = 80;

export class DotReporter implements Reporter {
  readonly #write: (text: string | Uint8Array) => void;
  /** Says the end. */
  readonly #pretty: PrettyReporter;
  #column = 0;

  constructor(write: (text: string | Uint8Array) => void, colors: boolean) {
    this.#write = write;
    this.#pretty = new PrettyReporter(write, colors);
  }

  event(event: ReportEvent): void {
    if (event.type === "uncaught") this.#mark("!");
    if (event.type !== "result") return;
    this.#mark(event.outcome === "ok" ? "." : event.outcome === "ignored" ? "," : "!");
  }

  end(results: Results, elapsedMs: number, interrupted?: readonly Named[]): void {
    if (this.#column > 0) this.#write("\n");
    this.#pretty.end(results, elapsedMs, interrupted);
  }

  #mark(mark: string): void {
    this.#write(mark);
    if (++this.#column < LINE) return;
    this.#column = 0;
    this.#write("\n");
  }
}

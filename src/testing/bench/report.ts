/** Benchmarks as Deno's table, and as Deno's JSON. */
import { cpus } from "node:os";
import { pathToFileURL } from "node:url";
import type { Failure } from "../protocol.ts";
import type { Paint } from "../report/colors.ts";
import { failureText } from "../report/pretty.ts";
import type { BenchDescribed, BenchEvent, BenchStats } from "./protocol.ts";

export interface BenchReporter {
  /** `file`: its absolute path. */
  event(file: string, event: BenchEvent): void;
  uncaught(file: string, failure: Failure): void;
  fileEnds(): void;
  end(failed: boolean, usedOnly: boolean): void;
}

/** `Slipway 0.1.0 (x86_64-unknown-linux-gnu)`. */
export interface Machine {
  readonly version: string;
  readonly target: string;
}

const WIDTHS = [15, 13, 21, 8, 8, 8] as const;

export class BenchTable implements BenchReporter {
  readonly #write: (text: string) => void;
  readonly #paint: Paint;
  readonly #machine: Machine;
  #begun = false;
  #width = 0;
  #group: string | undefined;
  #results: { readonly bench: BenchDescribed; readonly stats: BenchStats }[] = [];

  constructor(write: (text: string) => void, paint: Paint, machine: Machine) {
    this.#write = write;
    this.#paint = paint;
    this.#machine = machine;
  }

  event(file: string, event: BenchEvent): void {
    if (event.type === "benches") return this.#head(file, event.benches);
    if (event.type === "bench wait") return this.#groupHead(event.bench);
    const { bench, stats, failure } = event;
    if (stats === undefined) {
      const text = failure === undefined ? "" : failureText(failure, this.#paint);
      return this.#line(`${bench.name.padEnd(this.#width)}  ${this.#paint.red("error")}: ${text}`);
    }
    this.#results.push({ bench, stats });
    const { cyan, red, yellow } = this.#paint;
    const range = `(${cyan(time(stats.min))} … ${red(time(stats.max))})`;
    const cells = [
      bench.name.padEnd(this.#width),
      yellow(time(stats.avg).padStart(WIDTHS[0])),
      Math.round(1e9 / stats.avg)
        .toLocaleString("en-US")
        .padStart(WIDTHS[1]),
      range,
      ...[stats.p75, stats.p99, stats.p995].map((ns) => red(time(ns).padStart(8))),
    ];
    this.#line(`| ${cells.join(" | ")} |`);
  }

  uncaught(file: string, failure: Failure): void {
    this.#line(`\n${file}\n${this.#paint.red("error")}: ${failureText(failure, this.#paint)}`);
  }

  fileEnds(): void {
    this.#groupEnds();
    this.#group = undefined;
    this.#results = [];
  }

  end(failed: boolean, usedOnly: boolean): void {
    if (failed) this.#line(`\n${this.#paint.red("error")}: Bench failed`);
    else if (usedOnly) this.#line(`\n${this.#paint.red("error")}: Bench failed because the "only" option was used`);
  }

  #head(file: string, benches: readonly BenchDescribed[]): void {
    const { gray } = this.#paint;
    if (!this.#begun) {
      const { version, target } = this.#machine;
      this.#line(gray(`    CPU | ${cpus()[0]?.model ?? "unknown"}`));
      this.#line(gray(`Runtime | Slipway ${version} (${target})`));
    }
    this.#begun = true;
    this.#line(`\n${gray(pathToFileURL(file).href)}\n`);
    if (benches.length === 0) return;
    this.#width = Math.max("benchmark".length, ...benches.map(({ name }) => name.length));
    const names = ["time/iter (avg)", "iter/s", "(min … max)     ", "p75", "p99", "p995"];
    const cells = names.map((name, i) => name.padStart(WIDTHS[i]));
    this.#line(`| ${"benchmark".padEnd(this.#width)} | ${cells.join(" | ")} |`);
    this.#line(`| ${"-".repeat(this.#width)} | ${WIDTHS.map((width) => "-".repeat(width)).join(" | ")} |`);
  }

  #groupHead({ group }: BenchDescribed): void {
    if (group === this.#group) return;
    this.#groupEnds();
    this.#group = group;
    this.#line(`\n${this.#paint.gray("group")} ${this.#paint.green(group ?? "")}`);
  }

  /** How the others of a group compare with its baseline. */
  #groupEnds(): void {
    const all = this.#results.filter(({ bench }) => bench.group === this.#group);
    const base = all.find(({ bench }) => bench.baseline);
    if (base === undefined || all.length < 2) return;
    const { bold, cyan, gray, green, red } = this.#paint;
    this.#line(`\n${gray("summary")}\n  ${bold(cyan(base.bench.name))}`);
    for (const { bench, stats } of all) {
      if (bench === base.bench) continue;
      const faster = stats.avg >= base.stats.avg;
      const ratio = faster ? stats.avg / base.stats.avg : base.stats.avg / stats.avg;
      const shown = ratio.toFixed(2).padStart(9);
      this.#line(
        `${faster ? green(shown) : red(shown)}x ${faster ? "faster" : "slower"} than ${bold(cyan(bench.name))}`,
      );
    }
  }

  #line(text: string): void {
    this.#write(`${text}\n`);
  }
}

/** `--json`: one document, when all is done. */
export class BenchJson implements BenchReporter {
  readonly #write: (text: string) => void;
  readonly #machine: Machine;
  readonly #benches: object[] = [];

  constructor(write: (text: string) => void, machine: Machine) {
    this.#write = write;
    this.#machine = machine;
  }

  event(file: string, event: BenchEvent): void {
    if (event.type !== "bench") return;
    const { bench, stats, failure } = event;
    const { name, group = null, baseline } = bench;
    const result = stats === undefined ? { failed: failedOf(failure) } : { ok: stats };
    this.#benches.push({ origin: pathToFileURL(file).href, group, name, baseline, results: [result] });
  }

  uncaught(file: string, failure: Failure): void {
    process.stderr.write(`${file}\nerror: ${failureText(failure)}\n`);
  }

  fileEnds(): void {}

  end(): void {
    const { version, target } = this.#machine;
    const head = { version: 1, runtime: `Slipway/${version} ${target}`, cpu: cpus()[0]?.model ?? "unknown" };
    this.#write(`${JSON.stringify({ ...head, benches: this.#benches }, undefined, 2)}\n`);
  }
}

function failedOf(failure: Failure | undefined): object {
  const { message = "", stack = "" } = failure ?? {};
  return { message, stack };
}

/** Nanoseconds for people: `351.1 ns`, `4.7 µs`. */
function time(ns: number): string {
  if (ns < 1e3) return `${ns.toFixed(1)} ns`.padStart(8);
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`.padStart(8);
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`.padStart(8);
  return `${(ns / 1e9).toFixed(1)} s`.padStart(8);
}

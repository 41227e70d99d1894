/** `slipway bench`: finds files of benchmarks, runs each in a process of its own, one after the other, and shows what it took. */
import { BundleError, render, stopEsbuild } from "../bundle/mod.ts";
import { askedProject, toolOptions } from "../bundle/project.ts";
import { BenchJson, type BenchReporter, BenchTable } from "../testing/bench/report.ts";
import { plainFailure } from "../testing/failure.ts";
import { findFiles } from "../testing/files.ts";
import { HostedFile } from "../testing/host.ts";
import type { Job } from "../testing/protocol.ts";
import { painting, wantsColors } from "../testing/report/colors.ts";
import { buildTest } from "../testing/session.ts";
import { Failure } from "./errors.ts";
import { checkFilter } from "./test.ts";
import { version } from "./version.ts";

export interface BenchOptions {
  readonly filter?: string;
  readonly json?: boolean;
  readonly run?: boolean;
  readonly ignore?: readonly string[];
  readonly permitNoFiles?: boolean;
}

/** Runs the benchmarks; ends the process with 0 when none failed, else 1. */
export async function bench(named: readonly string[], options: BenchOptions, args: readonly string[]): Promise<void> {
  checkFilter(options.filter);
  const { include = [], exclude = [] } = toolOptions(process.cwd(), "bench");
  const ignored = [...(options.ignore ?? []), ...exclude];
  const { files, missing } = findFiles(named.length > 0 ? named : include, "bench", ignored);
  if (missing.length > 0) throw new Failure(`there is no file ${missing[0]}: name files or folders of benchmarks`);
  if (files.length === 0 && !options.permitNoFiles) {
    throw new Failure(
      "no benchmarks here or below: files are called bench.ts, name_bench.ts or name.bench.ts; see slipway help bench",
    );
  }
  const machine = { version, target: `${process.arch}-${process.platform}, node ${process.versions.node}` };
  const write = (text: string) => void process.stdout.write(text);
  const reporter = options.json
    ? new BenchJson(write, machine)
    : new BenchTable(write, painting(wantsColors(process.stdout)), machine);
  const state = { failed: false, usedOnly: false };
  let hosted: HostedFile | undefined;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      hosted?.kill();
      reporter.end(state.failed, false);
      process.exit(code);
    });
  }
  for (const file of files) {
    const job = await jobOf(file, options, args, reporter);
    if (job === undefined) state.failed = true;
    if (job === undefined || options.run === false) continue;
    hosted = host(job, file, options, reporter, state);
    await hosted.finished;
    reporter.fileEnds();
  }
  await stopEsbuild();
  if (options.run !== false || state.failed) reporter.end(state.failed, state.usedOnly);
  process.exit(state.failed || state.usedOnly ? 1 : 0);
}

async function jobOf(
  file: string,
  { filter }: BenchOptions,
  args: readonly string[],
  reporter: BenchReporter,
): Promise<Job | undefined> {
  try {
    const { inputs: _, warnings: __, borrowed: ___, ...made } = await buildTest(file);
    return { kind: "bench", bundle: made, project: askedProject(), entry: file, args, options: { filter } };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    reporter.uncaught(file, plainFailure(render(error)));
    return undefined;
  }
}

function host(
  job: Job,
  file: string,
  { json }: BenchOptions,
  reporter: BenchReporter,
  state: { failed: boolean; usedOnly: boolean },
): HostedFile {
  return new HostedFile(job, (event) => {
    switch (event.type) {
      case "output":
        // A document of JSON holds nothing else.
        return void (json ? process.stderr : process.stdout).write(event.bytes);
      case "benches":
        state.usedOnly ||= event.usedOnly;
        return reporter.event(file, event);
      case "bench":
        state.failed ||= event.failure !== undefined;
        return reporter.event(file, event);
      case "bench wait":
        return reporter.event(file, event);
      case "uncaught":
        state.failed = true;
        return reporter.uncaught(file, event.failure);
      case "gone":
        if (event.how === undefined) return;
        state.failed = true;
        return reporter.uncaught(
          file,
          plainFailure(`the process of this file ended (${event.how}) before it was done`),
        );
      default:
        return;
    }
  });
}

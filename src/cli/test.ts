/**
 * `slipway test`: finds the files of tests, bundles each as `run` does, runs each in a process of its own and shows what
 * became of them. docs/test.md tells the whole of it.
 */
import { availableParallelism } from "node:os";
import { stopEsbuild } from "../bundle/mod.ts";
import { toolOptions } from "../bundle/project.ts";
import { patternOf } from "../testing/choose.ts";
import { findFiles } from "../testing/files.ts";
import type { RunOptions } from "../testing/protocol.ts";
import { painting, wantsColors } from "../testing/report/colors.ts";
import { makeReporters, type ReporterName, reporterNames } from "../testing/report/mod.ts";
import type { Reporter } from "../testing/results.ts";
import { Session } from "../testing/session.ts";
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
  readonly watch?: boolean;
  readonly doc?: boolean;
  readonly permitNoFiles?: boolean;
  readonly run?: boolean;
  readonly coverage?: boolean;
  readonly coverageValue?: string;
  readonly coverageThreshold?: string;
  readonly reporter?: string;
  readonly junitPath?: string;
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
  readonly retry?: string;
  readonly repeats?: string;
  readonly updateSnapshots?: boolean;
}

/** Runs the tests; ends the process with 0 when all is well, else 1. */
export async function test(named: readonly string[], options: TestOptions, args: readonly string[]): Promise<void> {
  if (options.doc) {
    throw new UsageError("--doc is not supported: put what a document shows into a test, or run deno test --doc");
  }
  checkFilter(options.filter);
  const run = runOptions(options);
  const jobs = jobsOf(options);
  const threshold = thresholdOf(options);
  // What is wrong with the command line is told before what is wrong with the files.
  reportersOf(options);
  const find = (): readonly string[] => filesOf(named, options);
  const common = { run, args, jobs, onlyBuild: options.run === false };
  if (options.watch) {
    if (coverageFolder(options) !== undefined) {
      throw new UsageError("--watch and --coverage exclude each other: coverage is of all tests, --watch runs some");
    }
    const { watchTests } = await import("./test-watch.ts");
    return watchTests(
      find,
      (files, built) => new Session({ ...common, files, built, reporters: reportersOf(options) }),
    );
  }
  const session = new Session({ ...common, files: find(), reporters: reportersOf(options) });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      session.interrupt();
      process.exit(code);
    });
  }
  await session.finish();
  await stopEsbuild();
  const folder = coverageFolder(options);
  const covered = folder === undefined || (await showCoverage(session, folder, threshold, options));
  const { failed, usedOnly } = session.results;
  process.exit(failed || usedOnly || !covered ? 1 : 0);
}

function filesOf(named: readonly string[], { ignore = [], permitNoFiles }: TestOptions): readonly string[] {
  const { include = [], exclude = [] } = toolOptions(process.cwd(), "test");
  const { files, missing } = findFiles(named.length > 0 ? named : include, "test", [...ignore, ...exclude]);
  if (missing.length > 0) throw new Failure(`there is no file ${missing[0]}: name files or folders of tests`);
  if (files.length > 0 || permitNoFiles) return files;
  throw new Failure(
    "no test files here or below: they are called test.ts, name_test.ts or name.test.ts; see slipway help test",
  );
}

/** The table, where people read it, and the file; false when less ran than was asked for. */
async function showCoverage(
  { coverage }: Session,
  folder: string,
  threshold: number | undefined,
  { reporter = "pretty", junitPath }: TestOptions,
): Promise<boolean> {
  const { coverageTable, lineShare, writeLcov } = await import("../testing/coverage/report.ts");
  // What a program reads must hold nothing else.
  const plain = (reporter === "pretty" || reporter === "dot") && junitPath !== "-";
  const say = (text: string) => void (plain ? process.stdout : process.stderr).write(`${text}\n`);
  if (coverage.size > 0) say(coverageTable(coverage, painting(plain && wantsColors(process.stdout))));
  else say("coverage: the tests load no source of the project");
  say(`lcov: ${writeLcov(coverage, folder)}`);
  const share = lineShare(coverage);
  if (threshold === undefined || share >= threshold) return true;
  say(
    `coverage: ${share.toFixed(1)}% of the lines ran, less than the ${threshold}% that --coverage-threshold asks for`,
  );
  return false;
}

function thresholdOf({ coverageThreshold }: TestOptions): number | undefined {
  if (coverageThreshold === undefined) return undefined;
  const value = Number(coverageThreshold);
  if (coverageThreshold !== "" && value >= 0 && value <= 100) return value;
  throw new UsageError(`--coverage-threshold ${coverageThreshold}: a number from 0 to 100 is needed`);
}

/** A pattern that is none is said at once. */
export function checkFilter(filter: string | undefined): void {
  if (filter === undefined) return;
  try {
    patternOf(filter);
  } catch (error) {
    throw new UsageError(`--filter ${filter}: ${(error as Error).message}; see slipway help test`);
  }
}

function runOptions(options: TestOptions): RunOptions {
  const { filter, failFast, failFastValue, shuffle, shuffleValue, retry, repeats } = options;
  const project = toolOptions(process.cwd(), "test");
  const asked = (flag: boolean | undefined, name: string, said: boolean | undefined) =>
    flag ?? (process.env[name] === undefined ? said : process.env[name] === "1");
  const sanitizeOps = asked(options.sanitizeOps, "DENO_TEST_SANITIZE_OPS", project.sanitizeOps);
  const sanitizeResources = asked(options.sanitizeResources, "DENO_TEST_SANITIZE_RESOURCES", project.sanitizeResources);
  const coverage = coverageFolder(options) !== undefined;
  const count = failFastValue === undefined ? (failFast ? 1 : undefined) : number("--fail-fast", failFastValue, 1);
  const random = shuffle ? Math.floor(Math.random() * 2 ** 31) : undefined;
  return {
    filter,
    sanitizeOps,
    sanitizeResources,
    coverage,
    updateSnapshots: options.updateSnapshots,
    failFast: count,
    shuffle: shuffleValue === undefined ? random : number("--shuffle", shuffleValue, 0),
    retry: retry === undefined ? undefined : number("--retry", retry, 0),
    repeats: repeats === undefined ? undefined : number("--repeats", repeats, 0),
  };
}

/** Where coverage is written; undefined when nobody asked for it. */
function coverageFolder({ coverage, coverageValue, coverageThreshold }: TestOptions): string | undefined {
  return coverageValue ?? (coverage || coverageThreshold !== undefined ? "coverage" : undefined);
}

function reportersOf({ reporter = "pretty", junitPath }: TestOptions): Reporter[] {
  if (!reporterNames.includes(reporter as ReporterName)) {
    throw new UsageError(`there is no reporter '${reporter}': choose one of ${reporterNames.join(", ")}`);
  }
  return makeReporters(reporter as ReporterName, junitPath);
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

/**
 * What the process that runs a file of tests tells the one that shows it. A process a file: whatever a test does to its
 * own, results of others are never lost.
 *
 *     parent                                  child (SLIPWAY_TEST_CHILD holds the marker)
 *     descriptor 4: a Job, JSON, then its end →
 *                                            ← descriptor 3: TestEvents, a line of JSON each
 *                                            ← descriptors 1 and 2: what tests write, and a marker with each event
 *
 * Events are written with writeSync: what was told before an endless loop began is with the kernel. The marker with an
 * event's number in both outputs says which output came before it.
 */
import type { Bundle, Program } from "../bundle/mod.ts";
import type { AskedProject } from "../bundle/project.ts";
import type { CoveredFunction } from "./coverage/collect.ts";

export const EVENTS_FD = 3;
export const JOB_FD = 4;

/** What a child is to run. */
export interface Job {
  readonly kind: "test" | "bench";
  readonly bundle: Program & Pick<Bundle, "root" | "packaged" | "workers">;
  /** What the command line says of it: for what is bundled later. */
  readonly project: AskedProject;
  readonly entry: string;
  readonly args: readonly string[];
  readonly options: RunOptions;
}

/** How it is to run it. */
export interface RunOptions {
  readonly filter?: string;
  /** The seed of the order; absent: as registered. */
  readonly shuffle?: number;
  /** Failures after which no further test begins. */
  readonly failFast?: number;
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
  readonly coverage?: boolean;
  /** `t.assertSnapshot()` writes what differs. */
  readonly updateSnapshots?: boolean;
  readonly retry?: number;
  readonly repeats?: number;
}

/** A place in the author's sources; lines and columns from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Why something failed. */
export interface Failure {
  /** What was thrown, without its frames: `Error: boo`. */
  readonly message: string;
  /** Its frames and causes, lines of a stack. */
  readonly stack: string;
  /** The author's line that threw. */
  readonly at?: Place;
}

export type Outcome = "ok" | "ignored" | "failed" | "cancelled";

/** A test or a step of one, as reports name it. */
export interface Described {
  readonly id: number;
  readonly name: string;
  readonly at?: Place;
  /** Of a step: what it is a step of. */
  readonly parent?: number;
}

export type TestEvent =
  /** `total` is not known of node:test. */
  | {
      readonly type: "plan";
      readonly total?: number;
      readonly filteredOut: number;
      readonly usedOnly: boolean;
      readonly restricted?: number;
    }
  /** `timeout`: what the parent ends when the child itself cannot. */
  | { readonly type: "wait"; readonly test: Described; readonly timeout?: number }
  | {
      readonly type: "result";
      readonly test: Described;
      readonly outcome: Outcome;
      /** Microseconds. */
      readonly elapsed: number;
      readonly failure?: Failure;
      readonly failedSteps?: number;
      /** A step that was not awaited. */
      readonly incomplete?: boolean;
      /** It passed at a later attempt. */
      readonly flaky?: boolean;
    }
  | { readonly type: "retry"; readonly test: Described; readonly attempt: number; readonly message: string }
  /** Of the file, no test's. */
  | { readonly type: "uncaught"; readonly failure: Failure }
  | { readonly type: "coverage"; readonly functions: readonly CoveredFunction[] }
  | { readonly type: "end" };

/** What stands in both outputs where an event was told. */
export function markerOf(nonce: string, count: number): string {
  return `\x1b]${nonce};${count}\x07`;
}

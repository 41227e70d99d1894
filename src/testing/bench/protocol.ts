/** What a file of benchmarks tells: the same way as tests do (../protocol.ts). */
import type { Failure, Place } from "../protocol.ts";

export interface BenchDescribed {
  readonly name: string;
  readonly group: string | undefined;
  readonly baseline: boolean;
  readonly at?: Place;
}

/** Nanoseconds a call. */
export interface BenchStats {
  /** How many measurements there are. */
  readonly n: number;
  readonly min: number;
  readonly max: number;
  readonly avg: number;
  readonly p75: number;
  readonly p99: number;
  readonly p995: number;
  readonly p999: number;
  /** Each call was timed, and not many together. */
  readonly highPrecision: boolean;
  readonly usedExplicitTimers: boolean;
}

export type BenchEvent =
  | {
      readonly type: "benches";
      readonly benches: readonly BenchDescribed[];
      readonly filteredOut: number;
      readonly usedOnly: boolean;
    }
  | { readonly type: "bench wait"; readonly bench: BenchDescribed }
  | {
      readonly type: "bench";
      readonly bench: BenchDescribed;
      readonly stats?: BenchStats;
      readonly failure?: Failure;
    };

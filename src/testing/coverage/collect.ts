/** In the process of a file's tests: has V8 count what runs. */

/** How often each range of the bundle's script ran; the first of a function is the whole of it. Offsets in UTF-16 units. */
export interface CoveredFunction {
  readonly name: string;
  readonly ranges: readonly (readonly [start: number, end: number, count: number])[];
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
  }[];
}

/** Begins to count, before the program is loaded; what is returned gives the counts of the script `filename`. */
export function countCoverage(filename: string): () => CoveredFunction[] {
  const { Session } = process.getBuiltinModule("node:inspector");
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return () => {
    let found: ScriptCoverage | undefined;
    // Answers within the call.
    session.post("Profiler.takePreciseCoverage", (_error: Error | null, answer?: { result: unknown }) => {
      found = (answer?.result as ScriptCoverage[] | undefined)?.find(({ url }) => pathOf(url) === filename);
    });
    return (found?.functions ?? []).map(({ functionName, ranges }) => ({
      name: functionName,
      ranges: ranges.map(({ startOffset, endOffset, count }) => [startOffset, endOffset, count] as const),
    }));
  };
}

/** The inspector makes URLs of paths. */
function pathOf(url: string): string {
  try {
    return url.startsWith("file://") ? decodeURIComponent(url.slice("file://".length)) : url;
  } catch {
    return url;
  }
}

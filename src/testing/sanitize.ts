/** What a test leaves behind. */
import type { Failure } from "./protocol.ts";

export interface Leaks {
  /** What is there now and was not when it began; undefined when nothing is. */
  end(): Promise<Failure | undefined>;
}

export interface Sanitizer {
  begin(ops: boolean, resources: boolean): Leaks;
}

export function watchLeaks(): Sanitizer {
  return { begin: () => ({ end: async () => undefined }) };
}

/** The one clock that deadlines are measured by: monotonic milliseconds. Tests put their own in its place. */
let source: () => number = () => performance.now();

/** Milliseconds since some fixed moment; never goes back. */
export function monotonicNow(): number {
  return source();
}

/** Replaces the clock, for tests; returns a function that restores the real one. */
export function replaceClock(now: () => number): () => void {
  const before = source;
  source = now;
  return () => {
    source = before;
  };
}

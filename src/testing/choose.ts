/** Which tests run, and in which order: `--filter`, `--shuffle`. */

/** Whether a name is asked for: a text that it holds, or `/a pattern/`. */
export function matches(name: string, filter: string | undefined): boolean {
  if (filter === undefined) return true;
  const pattern = patternOf(filter);
  return pattern === undefined ? name.includes(filter) : pattern.test(name);
}

/** Undefined for plain text; throws a SyntaxError for what is no pattern. */
export function patternOf(filter: string): RegExp | undefined {
  return filter.length > 1 && filter.startsWith("/") && filter.endsWith("/")
    ? new RegExp(filter.slice(1, -1))
    : undefined;
}

/** The same order for the same seed, on every machine: Fisher and Yates's, by a xorshift. */
export function shuffled<T>(list: readonly T[], seed: number | undefined): T[] {
  const result = list.slice();
  if (seed === undefined) return result;
  // Never zero, where xorshift stays.
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1) >>> 0;
  for (let i = result.length - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

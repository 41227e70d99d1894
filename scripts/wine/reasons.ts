/** Failures under Wine that say nothing about us on Windows: told apart by what they say, and counted by themselves. */
const REASONS: readonly (readonly [says: RegExp, reason: string])[] = [
  [/Address family not supported by protocol \(os error 10047\)/, "Wine has no Unix sockets"],
  [
    /Cannot find function '\w+' in shared library[\s\S]*libc-linux/,
    "the test counts calls of Linux's C library, or makes them fail",
  ],
  [/ENOENT[^\n]*[\\/]proc[\\/]/, "the test looks into /proc"],
  [/`[^`]*os error \d{2,3}\b[^`]*` pattern/, "the test expects Linux's errno"],
  [
    /went to somebody who reads nothing|streams\.test\.ts:53/,
    "Node says on Windows that all is written when the system has taken it",
  ],
];

/** The reasons of the failures in uvu's output, one for each that has one. */
export function reasonsOf(output: string): string[] {
  const [head, ...failures] = output.split(/^ {3}FAIL /m);
  // A file that fails before its first test.
  const texts = failures.length > 0 ? failures : [head];
  return texts.flatMap((text) => REASONS.find(([says]) => says.test(text))?.[1] ?? []);
}

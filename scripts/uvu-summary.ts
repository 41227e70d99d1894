/** What uvu's output says of the tests of a file. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why it failed as a whole, "" if it did not. */
  readonly problem: string;
}

/** `problem`: how the process ended, "" for well. Whatever cannot be accounted for is a failure, never a silent pass. */
export function uvuSummary(output: string, problem: string): Summary {
  const text = output.replace(/\x1b\[[0-9;]*m/g, "");
  const sum = (label: string) =>
    [...text.matchAll(new RegExp(`^  ${label}:\\s+(\\d+)$`, "gm"))].reduce((all, match) => all + Number(match[1]), 0);
  const tests = sum("Total");
  const passed = sum("Passed");
  const skipped = sum("Skipped");
  let failed = tests - passed;
  let why = problem;
  if (failed === 0 && why !== "") failed = 1;
  if (failed === 0 && tests + skipped === 0) {
    failed = 1;
    why = "no test ran (does the file end with test.run()?)";
  }
  const reasons = [...text.matchAll(/^SKIP /gm)].length;
  if (failed === 0 && reasons < skipped) {
    failed = 1;
    why = `${skipped} skipped but only ${reasons} said why: use skip(test, name, reason) of test/support/skip.ts`;
  }
  return { passed, failed, skipped, problem: why };
}

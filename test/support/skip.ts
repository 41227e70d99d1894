/**
 * Skips a test and says why, in a line that the runner counts: a skip without a reason fails the run.
 *
 *     if (process.platform === "linux") test("abstract sockets", …);
 *     else skip(test, "abstract sockets", "only Linux has them");
 */
export function skip(test: { skip(): void }, name: string, reason: string): void {
  console.log(`SKIP ${name}: ${reason}`);
  test.skip();
}

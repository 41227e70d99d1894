/** A test that ends the process would take the others' results with it: `sanitizeExit`, which is on unless a test says no. */

export class ExitError extends Error {
  override readonly name: string = "Error";
}

let depth = 0;
let original: typeof process.exit | undefined;
let codeBefore: typeof process.exitCode;

/**
 * From here on `Deno.exit` and `process.exit` throw. What is returned ends that, and gives the exit code that was set
 * meanwhile, if one was.
 */
export function guardExit(): () => number | string | undefined {
  if (depth++ === 0) {
    original = process.exit;
    codeBefore = process.exitCode;
    process.exit = refuse;
  }
  let released = false;
  return () => {
    if (released) return undefined;
    released = true;
    if (--depth > 0) return undefined;
    if (original !== undefined && process.exit === refuse) process.exit = original;
    const { exitCode } = process;
    process.exitCode = codeBefore;
    // A test that has set one and then 0 again is content.
    const content = exitCode === codeBefore || exitCode === null || Number(exitCode) === 0;
    return content ? undefined : exitCode;
  };
}

function refuse(code?: number | string | null): never {
  const error = new ExitError(`Test case attempted to exit with exit code: ${code ?? process.exitCode ?? 0}`);
  Error.captureStackTrace(error, refuse);
  throw error;
}

/**
 * What was thrown, for a log: an error's stack, what else it carries (`code`, `errno`, …), its causes and the errors
 * that it gathers; anything else as the console would show it. It never throws and is never long, whatever was thrown.
 */

/** Longer text is cut, so that one failure cannot fill a disk. */
const mostChars = 16_384;
/** Causes of causes, and members of an AggregateError: as many as somebody reads. */
const mostLevels = 8;
const mostErrors = 8;

let shownStack = (stack: string): string => stack;

/** How stacks are shown from here on, where nobody says: `slipway run` at a terminal leaves out what is not the author's. */
export function showStacks(shown: (stack: string) => string): void {
  shownStack = shown;
}

/** The text; `trim` shortens a stack before it is shown. */
export function describeError(error: unknown, trim: (stack: string) => string = shownStack): string {
  let text: string;
  try {
    text = describe(error, trim, 0, new Set());
  } catch {
    // A getter or a Proxy of the user's own that throws.
    text = `something that cannot be shown (${typeof error})`;
  }
  return text.length > mostChars ? `${text.slice(0, mostChars)}… (${text.length - mostChars} more characters)` : text;
}

function describe(error: unknown, trim: (stack: string) => string, level: number, seen: Set<unknown>): string {
  if (!(error instanceof Error)) return typeof error === "string" ? error : inspect(error, 3);
  if (seen.has(error)) return `${error.name}: ${error.message} (shown above)`;
  if (level === mostLevels) return "… (more causes)";
  seen.add(error);
  let text = trim(String(error.stack ?? `${error.name}: ${error.message}`)) + properties(error);
  if (error instanceof AggregateError && Array.isArray(error.errors)) {
    const { errors } = error;
    for (const [index, one] of errors.slice(0, mostErrors).entries()) {
      text += `\nError ${index + 1} of ${errors.length}: ${describe(one, trim, level + 1, seen)}`;
    }
    if (errors.length > mostErrors) text += `\n… (${errors.length - mostErrors} more errors)`;
  }
  if (error.cause !== undefined) text += `\nCaused by: ${describe(error.cause, trim, level + 1, seen)}`;
  return text;
}

/** What an error carries beside what its stack shows. */
function properties(error: Error): string {
  const names = Object.keys(error).filter((name) => !/^(?:stack|message|name|cause|errors)$/.test(name));
  if (names.length === 0) return "";
  return ` ${inspect(Object.fromEntries(names.map((name) => [name, (error as never)[name]])), 1)}`;
}

/** Loaded by the first failure, not by every start. */
function inspect(value: unknown, depth: number): string {
  const util = process.getBuiltinModule("node:util");
  return util.inspect(value, { depth, maxStringLength: 2000, maxArrayLength: 50, breakLength: 120 });
}

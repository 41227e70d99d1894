/** Runs `work` and returns what was logged meanwhile, one string a call of `console.error`. */
export async function logged(work: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  const before = console.error;
  console.error = (...values: unknown[]) => {
    lines.push(values.map(String).join(" "));
  };
  try {
    await work();
  } finally {
    console.error = before;
  }
  return lines;
}

/** The same as one text, a line a call. */
export async function loggedText(work: () => Promise<unknown>): Promise<string> {
  return (await logged(work)).map((line) => `${line}\n`).join("");
}

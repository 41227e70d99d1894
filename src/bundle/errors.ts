/** What can be wrong with a handler's source, told so that a person finds the place: file, line, column, code frame. */
import type { Message } from "esbuild";

/** One problem in the source. Lines and columns count from 1. */
export interface Problem {
  readonly text: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** The source line, and how much of it is meant. */
  readonly lineText?: string;
  readonly length?: number;
}

/** The sources cannot become a program. `message` is the first problem on one line; `render` adds code frames. */
export class BundleError extends Error {
  override readonly name = "BundleError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.length === 0 ? "the sources could not be bundled" : headline(problems[0]));
    this.problems = problems;
  }
}

/** The problem on one line: `server.ts:3:14: Expected ";" but found "x"`. */
export function headline(problem: Problem): string {
  const { file, line, column, text } = problem;
  if (file === undefined) return text;
  return line === undefined ? `${file}: ${text}` : `${file}:${line}:${column}: ${text}`;
}

/** Every problem as its line and a frame of the code, at most `limit` of them. */
export function render(error: BundleError, limit = 5): string {
  const shown = error.problems.slice(0, limit).map((problem) => headline(problem) + frame(problem));
  const more = error.problems.length - shown.length;
  if (more > 0) shown.push(`and ${more} more`);
  return shown.join("\n");
}

/** The line of code with carets under what is meant; a line too long for a terminal is cut around it. */
export function frame({ line, column, lineText, length }: Problem): string {
  if (line === undefined || column === undefined || lineText === undefined || lineText === "") return "";
  const from = column > 100 ? column - 61 : 0;
  const code = lineText.slice(from, from + 120);
  const gutter = `${line} | `;
  // Tabs stay tabs in the line of carets, so that the carets stand where the code does.
  const before = code.slice(0, column - 1 - from).replace(/[^\t]/g, " ");
  const carets = "^".repeat(Math.max(1, Math.min(length ?? 1, code.length - (column - 1 - from))));
  return `\n  ${gutter}${code}\n  ${" ".repeat(gutter.length - 2)}| ${before}${carets}`;
}

/** esbuild's messages in our words. */
export function problemsOf(messages: readonly Message[]): Problem[] {
  return messages.map(({ text, location }) => {
    const unknown = /^No loader is configured for "(\.\w+)" files: (.*)$/.exec(text);
    if (unknown !== null) return located(unknownKind(unknown[1], unknown[2]), location);
    const missing = /^Could not resolve "([^"]+)"$/.exec(text);
    const told = missing === null ? text : `${text}${whereToGet(missing[1])}`;
    return located(told, location);
  });
}

function located(text: string, location: Message["location"]): Problem {
  if (location === null) return { text };
  const { file, line, lineText, length } = location;
  // esbuild counts columns in bytes from 0; people count characters from 1.
  const column = Buffer.from(lineText).subarray(0, location.column).toString().length + 1;
  return { text, file, line, column, lineText, length };
}

function unknownKind(ending: string, file: string): string {
  if (ending === ".node") return `${file} is a native addon, which cannot be part of a program; see docs/4-compile.md`;
  return `${file}: import it with { type: "text" } or with { type: "bytes" }`;
}

function whereToGet(specifier: string): string {
  if (/^[./]/.test(specifier)) return ": no such file";
  const name = packageName(specifier);
  return name === undefined ? "" : `: no such package in node_modules here or above; npm install ${name}`;
}

/** `hono/jsx` is of `hono`, `@scope/name/sub` of `@scope/name`. */
export function packageName(specifier: string): string | undefined {
  return /^(@[^/]+\/[^/]+|[^@./][^/:]*)(?=\/|$)/.exec(specifier)?.[1];
}

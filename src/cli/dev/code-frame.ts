/** The author's own lines around the place that a stack names, read from the file as it is now. */
import { readFileSync } from "node:fs";

export interface Place {
  /** Absolute. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface CodeLine {
  readonly number: number;
  readonly text: string;
  /** The one that is meant. */
  readonly meant: boolean;
}

const WIDEST = 160;

/** Where a frame of a stack is: `    at handler (/srv/app.ts:3:7)`; undefined where that is no file. */
export function placeOfFrame(frame: string): Place | undefined {
  const match = /(?:\(|\bat (?:async )?)(?:file:\/\/)?(\/[^()]*?|[A-Za-z]:[\\/][^()]*?):(\d+):(\d+)\)?$/.exec(frame);
  return match === null ? undefined : { file: match[1], line: Number(match[2]), column: Number(match[3]) };
}

/** The first of the author's own: not of a package, nor of Node's or ours. */
export function authorPlace(stack: string): Place | undefined {
  for (const frame of stack.split("\n")) {
    if (!/^\s+at /.test(frame)) continue;
    const place = placeOfFrame(frame);
    if (place !== undefined && isAuthors(place.file)) return place;
  }
  return undefined;
}

const ownSource = import.meta.url.endsWith(".ts") ? new URL("../../../", import.meta.url).pathname : undefined;

export function isAuthors(file: string): boolean {
  if (/[\\/]node_modules[\\/]/.test(file)) return false;
  return ownSource === undefined || !["src/", "ffi/"].some((folder) => file.startsWith(ownSource + folder));
}

/** The lines; empty where the file cannot be read or has become shorter. */
export function codeAround({ file, line }: Place, before: number, after: number): CodeLine[] {
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
  if (line > lines.length) return [];
  const from = Math.max(1, line - before);
  return lines
    .slice(from - 1, line + after)
    .map((text, i) => ({ number: from + i, text: text.slice(0, WIDEST), meant: from + i === line }));
}

/** As text for a terminal, with a caret below the place; "" where there is nothing to show. */
export function codeFrame(stack: string): string {
  const place = authorPlace(stack);
  if (place === undefined) return "";
  const lines = codeAround(place, 2, 1);
  if (lines.length === 0) return "";
  const width = String(lines[lines.length - 1].number).length;
  const shown = lines.flatMap(({ number, text, meant }) => {
    const line = `${meant ? "> " : "  "}${String(number).padStart(width)} | ${text}`;
    if (!meant || place.column > WIDEST) return [line];
    // Tabs stay tabs, so that the caret stands where the code does.
    return [line, `  ${" ".repeat(width)} | ${text.slice(0, place.column - 1).replace(/[^\t]/g, " ")}^`];
  });
  return shown.join("\n");
}

/** A stack without the frames that are neither the author's nor a package's, and the author's lines behind it. */
export function authorStack(stack: string): string {
  const code = codeFrame(stack);
  // Nothing of the author's: then whatever there is may help.
  if (code === "") return stack;
  const lines = stack.split("\n").filter((line) => {
    const place = /^\s+at /.test(line) ? placeOfFrame(line) : undefined;
    return place === undefined ? !/^\s+at /.test(line) : isAuthors(place.file) || /node_modules/.test(place.file);
  });
  return `${lines.join("\n")}\n${code.replace(/^/gm, "    ")}`;
}

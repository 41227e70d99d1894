/**
 * Comments that silence findings:
 *
 *   // slipway-ignore fetch-without-timeout: the sidecar has its own      on the line, or the line before
 *   // slipway-ignore-file secret-in-source: keys of the test server      anywhere in the file
 *
 * Several ids are separated by commas. Every silence names what it silences: there is none for "everything".
 */
import { didYouMean } from "../../cli/suggestions.ts";
import type { Finding } from "./finding.ts";
import type { SourceFile } from "./source.ts";

interface Silence {
  readonly ids: readonly string[];
  /** The lines that it covers; undefined for the whole file. */
  readonly lines: readonly number[] | undefined;
  readonly file: SourceFile;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** The findings that are left, and those that say of a comment that it did nothing. */
export function silenced(
  findings: readonly Finding[],
  files: readonly SourceFile[],
  unused: Pick<Finding, "id" | "severity" | "harm" | "cure">,
  known: readonly string[],
): Finding[] {
  const silences = files.flatMap(silencesIn);
  const effective = new Set<string>();
  const left = findings.filter((finding) => {
    const found = silences.filter(
      ({ file, ids, lines }) =>
        file.name === finding.file && ids.includes(finding.id) && (lines === undefined || lines.includes(finding.line)),
    );
    for (const one of found) effective.add(`${silences.indexOf(one)} ${finding.id}`);
    return found.length === 0;
  });
  for (const [index, silence] of silences.entries()) {
    const { file, ids, line, column, endLine, endColumn } = silence;
    const say = (harm: string, cure = unused.cure) =>
      left.push({
        ...unused,
        harm,
        cure,
        file: file.name,
        line,
        column,
        endLine,
        endColumn,
        code: file.lines[line - 1],
      });
    if (ids.length === 0) say("this comment names no rule, and silences nothing.", "// slipway-ignore <id>: <reason>");
    for (const id of ids) {
      if (!known.includes(id)) say(`there is no rule ${id}${didYouMean(id, known)}: this comment silences nothing.`);
      else if (!effective.has(`${index} ${id}`)) say(`there is no ${id} here: this comment silences nothing.`);
    }
  }
  return left;
}

function silencesIn(file: SourceFile): Silence[] {
  const found: Silence[] = [];
  for (const { value, loc } of file.comments) {
    const match = /^[\s*]*slipway-ignore(-file)?(?![\w-])\s*([\w-]*(?:\s*,\s*[\w-]+)*)/.exec(value);
    if (match === null || !loc) continue;
    const ids = match[2]
      .split(",")
      .map((id) => id.trim())
      .filter((id) => id !== "");
    const { start, end } = loc;
    found.push({
      ids,
      lines: match[1] === undefined ? covered(file, start.line, end.line) : undefined,
      file,
      line: start.line,
      column: start.column + 1,
      endLine: end.line,
      endColumn: end.column + 1,
    });
  }
  return found;
}

/** The comment's own lines, when code stands on them, and the next line with code on it. */
function covered(file: SourceFile, first: number, last: number): number[] {
  const lines: number[] = [];
  for (let line = first; line <= last; line++) lines.push(line);
  const rest = (file.lines[first - 1] ?? "").trimStart();
  // Behind code it is about that code; alone on its line, about what comes next, further comments skipped.
  if (!/^(?:\/\/|\/\*|\{\/\*)/.test(rest)) return lines;
  for (let line = last + 1; line <= file.lines.length; line++) {
    const text = file.lines[line - 1].trim();
    if (text.startsWith("//") || (text.startsWith("/*") && text.endsWith("*/"))) continue;
    lines.push(line);
    break;
  }
  return lines;
}

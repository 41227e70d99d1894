/** Sources that are no program, as a result: scripts and code hosts get a document then too. */
import type { BundleError, Problem } from "../../bundle/errors.ts";
import type { Finding } from "./finding.ts";
import type { CheckResult } from "./mod.ts";
import { syntaxError } from "./rules.ts";

/** One finding for each problem, at its place. */
export function brokenResult({ problems }: BundleError): CheckResult {
  const findings = problems.map(findingOf);
  return { findings, files: [...new Set(findings.map(({ file }) => file))] };
}

function findingOf({ text, file = "", line = 1, column = 1, lineText = "", length = 1 }: Problem): Finding {
  const { id, severity, harm, cure } = syntaxError;
  // esbuild's length counts bytes, and may go on in the next line.
  const rest = Math.max(1, lineText.length - (column - 1));
  const endColumn = column + Math.min(Math.max(1, length), rest);
  const said = { id, severity, harm: `${text}: ${harm}`, cure };
  return { ...said, file, line, column, endLine: line, endColumn, code: lineText };
}

/** Findings for a person: by fault, worst first; what it does and the cure once, then every place with its code. */
import { styleText } from "node:util";
import { frame } from "../../bundle/errors.ts";
import type { Finding, Severity } from "./finding.ts";

const marks: Readonly<Record<Severity, "red" | "yellow" | "cyan">> = { error: "red", warning: "yellow", info: "cyan" };

/** The whole report; `files`: how many were read. */
export function textReport(findings: readonly Finding[], files: number, stream: NodeJS.WriteStream): string {
  const style = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const read = counted(files, "file");
  if (findings.length === 0) return `${style("green", "nothing found")} in ${read}\n`;
  const groups = Map.groupBy(findings, ({ id, harm, cure, severity }) => [id, severity, harm, cure].join("\0"));
  const blocks: string[] = [];
  for (const [{ id, severity, harm, cure }, ...more] of groups.values()) {
    const places = more.length === 0 ? "" : `, ${more.length + 1} places`;
    const all = groups.get([id, severity, harm, cure].join("\0")) ?? [];
    blocks.push(
      `${style([marks[severity], "bold"], severity)} ${style("bold", id)}${places}\n` +
        `  ${harm}\n` +
        `  ${style("green", "cure:")} ${cure}\n` +
        all.map((finding) => `${style("bold", placeOf(finding))}${framed(finding)}\n`).join(""),
    );
  }
  return `${blocks.join("\n")}\n${summary(findings)} in ${read}. To silence one, on its line or the line before: // slipway-ignore ${findings[0].id}: <reason>\n`;
}

function placeOf({ file, line, column }: Finding): string {
  return `${file}:${line}:${column}`;
}

function framed({ line, column, endLine, endColumn, code }: Finding): string {
  const length = endLine === line ? endColumn - column : code.trimEnd().length - column + 1;
  return frame({ text: "", line, column, lineText: code, length });
}

/** `1 error, 2 warnings, 1 note`. */
export function summary(findings: readonly Finding[]): string {
  const number = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  return (["error", "warning", "info"] as const)
    .filter((severity) => number(severity) > 0)
    .map((severity) => counted(number(severity), severity === "info" ? "note" : severity))
    .join(", ");
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

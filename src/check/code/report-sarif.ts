/** Findings for code hosts: SARIF 2.1.0 (OASIS). */
import { createHash } from "node:crypto";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { Finding, Rule, Severity } from "./finding.ts";

/** SARIF's words for ours (3.27.10). */
const levels: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  error: "error",
  warning: "warning",
  info: "note",
};

export function sarifReport(findings: readonly Finding[], rules: readonly Rule[], version: string): string {
  const seen = new Map<string, number>();
  const run = {
    tool: {
      driver: {
        name: "slipway check",
        semanticVersion: version,
        rules: rules.map(({ id, severity, harm, cure }) => ({
          id,
          shortDescription: { text: id.replaceAll("-", " ") },
          fullDescription: { text: harm },
          help: { text: `${harm} Cure: ${cure}` },
          defaultConfiguration: { level: levels[severity] },
        })),
      },
    },
    columnKind: "utf16CodeUnits",
    originalUriBaseIds: { SRCROOT: { uri: `${pathToFileURL(process.cwd()).href}/` } },
    results: findings.map((finding) => ({
      ruleId: finding.id,
      ruleIndex: rules.findIndex(({ id }) => id === finding.id),
      level: levels[finding.severity],
      message: { text: `${finding.harm} Cure: ${finding.cure}` },
      locations: [{ physicalLocation: locationOf(finding) }],
      partialFingerprints: { "slipwayCheck/v1": fingerprint(finding, seen) },
    })),
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function locationOf({ file, line, column, endLine, endColumn, code }: Finding) {
  const uri = relative(".", file).replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
  return {
    artifactLocation: { uri, uriBaseId: "SRCROOT" },
    region: { startLine: line, startColumn: column, endLine, endColumn, snippet: { text: code } },
  };
}

/** The same finding keeps its fingerprint when lines above it come and go; the second of two alike gets another. */
function fingerprint({ id, file, code }: Finding, seen: Map<string, number>): string {
  const key = [id, file, code.trim()].join("\0");
  const count = (seen.get(key) ?? 0) + 1;
  seen.set(key, count);
  return createHash("sha256").update(`${key}\0${count}`).digest("hex").slice(0, 32);
}

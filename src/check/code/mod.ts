/**
 * `slipway check server.ts`: reads the user's own sources, the entry and all that it imports, and says what would hurt
 * in production. Nothing is run and nothing is changed. rules.ts has the rules, docs/check.md explains them.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join, relative, resolve } from "node:path";
import type { Message } from "esbuild";
import { BundleError, problemsOf } from "../../bundle/errors.ts";
import { esbuild, stopEsbuild } from "../../bundle/esbuild.ts";
import type { Progress } from "../../terminal/progress.ts";
import type { Finding, Program } from "./finding.ts";
import { Handlers } from "./handlers.ts";
import { Project, SyntaxFailure } from "./project.ts";
import { sarifReport } from "./report-sarif.ts";
import { summary, textReport } from "./report-text.ts";
import { isSource } from "./resolve.ts";
import { rules, syntaxError, unusedSilence } from "./rules.ts";
import { silenced } from "./silence.ts";
import type { SourceFile } from "./source.ts";
import { isMember, type Node } from "./tree.ts";

export { brokenResult } from "./broken.ts";
export type { Finding } from "./finding.ts";
export { isOverflow } from "./project.ts";
export { rules } from "./rules.ts";

/** What was found, and in what. */
export interface CheckResult {
  readonly findings: readonly Finding[];
  /** The files that were read, as they are shown. */
  readonly files: readonly string[];
}

/** Looks at the files and what they import. Throws a BundleError for one that cannot be read as a program. */
export async function checkFiles(entries: readonly string[], progress?: Progress): Promise<CheckResult> {
  progress?.step(`Reading ${entries.length === 1 ? basename(entries[0]) : `${entries.length} files`}`);
  const project = await read(entries);
  const program: Program = { project, handlers: new Handlers(project) };
  const browser = new Set(project.files.filter(isBrowserCode));
  const found: Finding[] = [];
  for (const [i, rule] of rules.entries()) {
    progress?.step(`Checking ${project.files.length} files, rule ${i + 1} of ${rules.length}`);
    const { id, severity, harm, cure } = rule;
    const places = new Set<string>();
    rule.check?.(program, (node, file, about = {}) => {
      if (id !== "secret-in-source" && browser.has(file)) return;
      const place = placeOf(node, file);
      const key = `${file.path}:${place.line}:${place.column}`;
      if (places.has(key)) return;
      places.add(key);
      const said = { severity: about.severity ?? severity, harm: about.harm ?? harm, cure: about.cure ?? cure };
      found.push({ id, ...said, ...place });
    });
  }
  const known = rules.map(({ id }) => id);
  const left = silenced(found, project.files, unusedSilence, known);
  return { findings: left.sort(inOrder), files: project.files.map(({ name }) => name) };
}

/** The report in the form that was asked for. */
export function reportOf({ findings, files }: CheckResult, form: "text" | "json" | "sarif", version: string): string {
  if (form === "sarif") {
    const broken = findings.some(({ id }) => id === syntaxError.id);
    return sarifReport(findings, broken ? [...rules, syntaxError] : rules, version);
  }
  if (form === "json") {
    return `${JSON.stringify({ version, files, findings, summary: summary(findings) || "nothing found" }, null, 2)}\n`;
  }
  return textReport(findings, files.length, process.stdout);
}

/** 1 when something should be mended; notes alone are none. */
export function exitCodeOf({ findings }: CheckResult): number {
  return findings.some(({ severity }) => severity !== "info") ? 1 : 0;
}

/** A folder's sources, tests and generated code left out. */
export function sourcesIn(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!/^(?:node_modules|dist|build|coverage|tests?|__tests__|__mocks__|fixtures|\..*)$/.test(entry.name))
        found.push(...sourcesIn(path));
    } else if (
      isSource(path) &&
      !/^mocks?\.|\.(?:test|spec|bench|config)\.\w+$/.test(entry.name) &&
      statSync(path).isFile()
    ) {
      found.push(path);
    }
  }
  return found;
}

async function read(entries: readonly string[]): Promise<Project> {
  try {
    return await Project.read(entries.map((entry) => resolve(entry)));
  } catch (error) {
    throw error instanceof SyntaxFailure ? await toldAsByRun(error) : error;
  }
}

/** The words that `run` has for it, which are esbuild's; the parser's own where esbuild has nothing to say. */
async function toldAsByRun({ path, line, column, message }: SyntaxFailure): Promise<BundleError> {
  const contents = readFileSync(path, "utf8");
  const file = relative(process.cwd(), path) || path;
  const loader = extname(path).replace(/^\.[cm]?/, "") as "ts" | "tsx" | "js" | "jsx";
  const problems = await esbuild({ stdin: { contents, sourcefile: file, loader }, write: false, logLevel: "silent" })
    .then(() => [])
    .catch(({ errors = [] }: { errors?: Message[] }) => problemsOf(errors))
    .finally(stopEsbuild);
  if (problems.length > 0) return new BundleError(problems);
  return new BundleError([{ text: message, file, line, column, lineText: contents.split(/\r?\n/)[line - 1] }]);
}

function placeOf(node: Node, file: SourceFile) {
  const { start, end } = node.loc ?? { start: { line: 1, column: 0 }, end: { line: 1, column: 0 } };
  return {
    file: file.name,
    line: start.line,
    column: start.column + 1,
    endLine: end.line,
    endColumn: end.column + 1,
    code: file.lines[start.line - 1] ?? "",
  };
}

/** A file for browsers that came along: what is bad for a server is usual there. */
function isBrowserCode(file: SourceFile): boolean {
  if (file.program.directives.some(({ value }) => value.value === "use client")) return true;
  const views = /^(?:react-dom(?:\/client)?|hono\/jsx\/dom(?:\/client)?|vue|svelte|solid-js(?:\/web)?)$/;
  if (file.imports.some(({ specifier }) => views.test(specifier))) return true;
  // Hooks of React and its kin run in pages alone.
  const hooks = /^use(?:State|Effect|LayoutEffect|Ref|Reducer)$/;
  if (file.of("ImportSpecifier").some(({ imported }) => imported.type === "Identifier" && hooks.test(imported.name))) {
    return true;
  }
  return file.of("Identifier").some((one) => {
    const above = file.parent(one);
    if (!/^(?:document|localStorage|sessionStorage)$/.test(one.name) || file.binding(one) !== undefined) return false;
    return isMember(above) && above.object === one;
  });
}

const severities = ["error", "warning", "info"];

function inOrder(a: Finding, b: Finding): number {
  return (
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    rules.findIndex(({ id }) => id === a.id) - rules.findIndex(({ id }) => id === b.id) ||
    (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column)
  );
}

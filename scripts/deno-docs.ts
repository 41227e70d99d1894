/**
 * Writes the tables of docs/deno.md, behind `<!-- members -->`: each member of Deno's namespace and of its
 * global scope, and what becomes of it here.
 *
 *     node scripts/deno-docs.ts             write the page
 *     node scripts/deno-docs.ts --members   ask Deno again first: after an update of the deno package
 *     node scripts/deno-docs.ts --types     write templates/shared/deno.d.ts: after changes of what works, too
 *     node scripts/deno-docs.ts --check     end with 1 if either would change anything
 */
import { readFileSync, writeFileSync } from "node:fs";
import { denoProgram, noDeno } from "../test/support/deno.ts";
import { globalsFile, globalsOf, globalsTable } from "./deno/globals.ts";
import { type Member, membersOf, read, written } from "./deno/members.ts";
import { denoTypes } from "./deno/types.ts";
import { differs, partOf, refused } from "./deno/verdicts.ts";

const page = new URL("../docs/deno.md", import.meta.url);
const list = new URL("deno/members.txt", import.meta.url);
const ourTypes = new URL("../templates/shared/slipway.d.ts", import.meta.url);
const typesPage = new URL("../templates/shared/deno.d.ts", import.meta.url);
const MARK = "<!-- members -->\n";

/** The members in scripts/deno/members.txt. */
export function listedMembers(): Member[] {
  return read(readFileSync(list, "utf8"));
}

/** What the installed Deno says of itself, undefined where there is none. */
function installedTypes(): string | undefined {
  if (denoProgram === undefined) return undefined;
  const { execFileSync } = process.getBuiltinModule("node:child_process");
  return execFileSync(denoProgram, ["types"], { encoding: "utf8", maxBuffer: 1e8 });
}

/** The list as the installed Deno would have it. */
export function installedList(types = installedTypes()): string | undefined {
  return types === undefined ? undefined : written(membersOf(types));
}

/** templates/shared/deno.d.ts as the installed Deno would have it. */
export function editorTypes(types = installedTypes()): string | undefined {
  if (types === undefined) return undefined;
  return denoTypes(types, readFileSync(ourTypes, "utf8"), (name) => verdictOf(name).is !== "refused");
}

/** The page with its tables as they should be. */
export function withMembers(text: string, members: readonly Member[] = listedMembers()): string {
  return `${text.slice(0, text.indexOf(MARK))}${MARK}${tables(members)}${globalsTable()}`;
}

/** Verdicts about members that Deno does not have. */
export function unknownVerdicts(members: readonly Member[] = listedMembers()): string[] {
  const known = new Set(members.flatMap(({ name, fields }) => [name, ...fields.map((field) => key(name, field))]));
  return [...Object.keys(differs), ...Object.keys(refused)].filter((name) => !known.has(name) && !leftovers.has(name));
}

/** Deno's program still has these, its types no longer do. */
const leftovers: ReadonlySet<string> = new Set(["serveHttp", "Process", "run", "internal"]);

export type Verdict =
  | { readonly is: "works" }
  | { readonly is: "differs"; readonly how: string }
  | { readonly is: "refused"; readonly why: string };

/** Of `open`, `FsFile.lock`, `connectQuic`; a field that has none of its own has its owner's. */
export function verdictOf(name: string): Verdict {
  if (Object.hasOwn(refused, name)) return { is: "refused", why: refused[name] };
  if (Object.hasOwn(differs, name)) return { is: "differs", how: differs[name] };
  const outer = partOf(name);
  return outer === undefined ? { is: "works" } : verdictOf(outer);
}

/** `FsFile` and `static create()` → `FsFile.create`. */
export function key(name: string, field: string): string {
  return `${name}.${field.replace(/^static |\(\)$/g, "")}`;
}

function tables(members: readonly Member[]): string {
  const categories = [...new Set(members.map(({ category }) => category))];
  return categories.map((category) => table(category, members)).join("");
}

function table(category: string, members: readonly Member[]): string {
  const rows: string[] = [];
  /** Functions about which there is no more to say share a row. */
  let functions: string[] = [];
  const flush = () => {
    if (functions.length > 0) rows.push(`| ${functions.join(", ")} | works | |`);
    functions = [];
  };
  for (const member of members) {
    const { name, kind } = member;
    if (member.category !== category || partOf(name) !== undefined || name.startsWith("errors.")) continue;
    if (kind === "function" && verdictOf(name).is === "works") functions.push(shownName(member));
    else {
      flush();
      rows.push(...rowsOf(name === "errors" ? { ...member, fields: errorClasses(members) } : member));
    }
  }
  flush();
  return `\n### ${category}\n\n| member | | |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function errorClasses(members: readonly Member[]): string[] {
  return members.flatMap(({ name }) => (name.startsWith("errors.") ? name.slice("errors.".length) : []));
}

function rowsOf(member: Member): string[] {
  const { name, fields } = member;
  const verdict = verdictOf(name);
  const own = fields.filter((field) => verdictOf(key(name, field)).is !== "works");
  const rest = verdict.is === "refused" ? [] : fields.filter((field) => !own.includes(field));
  const about = [verdict.is === "works" ? "" : phrase(verdict), rest.map((field) => `\`${field}\``).join(", ")];
  return [
    `| ${shownName(member)} | ${verdict.is} | ${about.filter(Boolean).join(": ")} |`,
    ...own.map((field) => {
      const one = verdictOf(key(name, field));
      return `| \`${name}.${field.replace("static ", "")}\` | ${one.is} | ${phrase(one)} |`;
    }),
  ];
}

function shownName({ name, kind, unstable }: Member): string {
  return `\`${name}${kind === "function" ? "()" : ""}\`${unstable ? " (unstable)" : ""}`;
}

function phrase(verdict: Verdict): string {
  return verdict.is === "differs" ? verdict.how : verdict.is === "refused" ? verdict.why : "";
}

if (import.meta.main) {
  const wrong: string[] = [];
  const types = installedTypes();
  const installed = installedList(types);
  const checks = process.argv.includes("--check");
  if (installed === undefined) console.error(`Deno's own list is not looked at: ${noDeno}`);
  else if (process.argv.includes("--members")) {
    writeFileSync(list, installed);
    writeFileSync(globalsFile, globalsOf(denoProgram ?? ""));
  } else if (checks && installed !== readFileSync(list, "utf8")) {
    wrong.push("scripts/deno/members.txt is not what deno types says: run node scripts/deno-docs.ts --members");
  } else if (checks && globalsOf(denoProgram ?? "") !== readFileSync(globalsFile, "utf8")) {
    wrong.push("scripts/deno/globals.txt is not what Deno has: run node scripts/deno-docs.ts --members");
  }
  const editors = editorTypes(types);
  if (editors !== undefined && process.argv.includes("--types")) writeFileSync(typesPage, editors);
  else if (checks && editors !== undefined && editors !== readFileSync(typesPage, "utf8")) {
    wrong.push("templates/shared/deno.d.ts is not up to date: run node scripts/deno-docs.ts --types");
  }
  const text = readFileSync(page, "utf8");
  if (!checks) writeFileSync(page, withMembers(text));
  else if (withMembers(text) !== text) wrong.push("docs/deno.md is not up to date: run node scripts/deno-docs.ts");
  wrong.push(...unknownVerdicts().map((name) => `scripts/deno/verdicts.ts: Deno has no ${name}`));
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}

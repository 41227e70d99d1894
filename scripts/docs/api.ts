/** The reference of the library: what `src/mod.ts` exports, each with its comment and its declaration. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "@babel/parser";
import type { Comment, Statement } from "@babel/types";
import type { Source } from "./pages.ts";

interface Declared {
  readonly kind: "function" | "class" | "interface" | "type" | "value";
  /** All overloads, as they stand. */
  readonly code: string;
  readonly comment: string;
}

interface Module {
  readonly declared: ReadonlyMap<string, Declared>;
  /** Name here → module and name there. */
  readonly imported: ReadonlyMap<string, readonly [string, string]>;
  readonly exported: ReadonlyMap<string, readonly [string | undefined, string]>;
  readonly all: readonly string[];
}

const TITLES: Readonly<Record<Declared["kind"], string>> = {
  function: "Functions",
  class: "Classes",
  interface: "Interfaces",
  type: "Types",
  value: "Values",
};

/** One page. `types`: the folder with mod.d.ts. */
export function apiPages(types: string): Source[] {
  const found = new Map<string, Declared>();
  const modules = new Map<string, Module>();
  for (const [name, file, local] of exportsOf(join(types, "mod.d.ts"), modules)) {
    const declared = find(file, local, modules);
    if (declared !== undefined) found.set(name, declared);
  }
  const groups = Object.entries(TITLES).map(([kind, title]) => {
    const members = [...found].filter(([, declared]) => declared.kind === kind).sort(([a], [b]) => (a < b ? -1 : 1));
    return members.length === 0
      ? ""
      : `## ${title}\n\n${members.map(([name, declared]) => entry(name, declared)).join("\n\n")}`;
  });
  const markdown = `# API\n\nWhat \`import { … } from "slipway"\` gives; \`slipway/net\`, \`slipway/http\` and \`slipway/fetch\` are parts of it.
[As a library](library.md) has the beginning.\n\n${groups.filter((text) => text !== "").join("\n\n")}\n`;
  return [{ path: "docs/api.md", target: "api.html", group: "Reference", markdown, title: "API" }];
}

function entry(name: string, { code, comment }: Declared): string {
  return `### ${name}\n\n${comment}${comment === "" ? "" : "\n\n"}\`\`\`ts\n${code}\n\`\`\``;
}

/** Everything that a module exports: name, the module that declares it, its name there. */
function exportsOf(file: string, modules: Map<string, Module>): [string, string, string][] {
  const module = load(file, modules);
  const own = [...module.exported].map(([name, [from, local]]): [string, string, string] => [
    name,
    from === undefined ? file : from,
    local,
  ]);
  return [...own, ...module.all.flatMap((from) => exportsOf(from, modules))];
}

/** The declaration behind a name, through whatever hands it on. */
function find(file: string, name: string, modules: Map<string, Module>): Declared | undefined {
  const module = load(file, modules);
  const here = module.declared.get(name);
  if (here !== undefined) return here;
  const [from, there] = module.imported.get(name) ?? module.exported.get(name) ?? [];
  if (from !== undefined && there !== undefined) return find(from, there, modules);
  for (const other of module.all) {
    const elsewhere = find(other, name, modules);
    if (elsewhere !== undefined) return elsewhere;
  }
  return undefined;
}

function load(file: string, modules: Map<string, Module>): Module {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const text = readFileSync(file, "utf8");
  const { program } = parse(text, { sourceType: "module", plugins: [["typescript", { dts: true }]] });
  const declared = new Map<string, Declared>();
  const imported = new Map<string, readonly [string, string]>();
  const exported = new Map<string, readonly [string | undefined, string]>();
  const all: string[] = [];
  const at = (specifier: string) => join(dirname(file), specifier.replace(/\.(js|ts)$/, ".d.ts"));
  const nameOf = (node: { type: string }) => {
    const { name, value } = node as unknown as { name?: string; value?: string };
    return name ?? value ?? "";
  };
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration") {
      if (!statement.source.value.startsWith(".")) continue;
      for (const specifier of statement.specifiers) {
        if (specifier.type !== "ImportSpecifier") continue;
        imported.set(specifier.local.name, [at(statement.source.value), nameOf(specifier.imported)]);
      }
    } else if (statement.type === "ExportAllDeclaration") {
      if (statement.source.value.startsWith(".")) all.push(at(statement.source.value));
    } else if (statement.type === "ExportNamedDeclaration" && statement.declaration == null) {
      const from = statement.source?.value;
      for (const specifier of statement.specifiers) {
        if (specifier.type !== "ExportSpecifier") continue;
        exported.set(nameOf(specifier.exported), [from === undefined ? undefined : at(from), nameOf(specifier.local)]);
      }
    } else {
      declare(statement, text, declared, exported);
    }
  }
  const module = { declared, imported, exported, all };
  modules.set(file, module);
  return module;
}

function declare(
  statement: Statement,
  text: string,
  declared: Map<string, Declared>,
  exported: Map<string, readonly [string | undefined, string]>,
): void {
  const inner = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  const kind = kindOf(inner?.type);
  if (inner == null || kind === undefined) return;
  const name =
    inner.type === "VariableDeclaration"
      ? (inner.declarations[0].id as { name?: string }).name
      : (inner as { id?: { name?: string } | null }).id?.name;
  if (name === undefined) return;
  if (statement.type === "ExportNamedDeclaration") exported.set(name, [undefined, name]);
  const code = text
    .slice(statement.start ?? 0, statement.end ?? 0)
    .replace(/^export /, "")
    .replace(/^declare /, "")
    // What is private is nobody's to read of.
    .replace(/^ +#private;\n/gm, "")
    .replace(/^ +private .*\n/gm, "");
  const before = declared.get(name);
  declared.set(name, {
    kind: before?.kind ?? kind,
    code: before === undefined ? code : `${before.code}\n${code}`,
    comment: before?.comment || commentOf(statement.leadingComments),
  });
}

function kindOf(type: string | undefined): Declared["kind"] | undefined {
  if (type === "TSDeclareFunction" || type === "FunctionDeclaration") return "function";
  if (type === "ClassDeclaration") return "class";
  if (type === "TSInterfaceDeclaration") return "interface";
  if (type === "TSTypeAliasDeclaration") return "type";
  if (type === "VariableDeclaration") return "value";
  return undefined;
}

/** A doc comment's text, with its tags as words. */
function commentOf(comments: readonly Comment[] | null | undefined): string {
  const last = comments?.findLast(({ type, value }) => type === "CommentBlock" && value.startsWith("*"));
  if (last === undefined) return "";
  return last.value
    .split("\n")
    .map((line) => line.replace(/^\s*\*+ ?/, ""))
    .join("\n")
    .replace(/@default \{(.*)\}/g, "Default: `$1`.")
    .replace(/@(internal|example)\b/g, "")
    .trim();
}

/**
 * The members of the namespace `Deno` as Deno's own type file declares them (`deno types`), and their compact list,
 * scripts/deno/members.txt: docs and tests read that, and need no Deno.
 *
 *     == File System
 *     function open openSync
 *     class FsFile: readable read() close()
 *
 * `function`, `class` and `namespace` are what they are, `interface` is a type with fields; for a constant the word is
 * what `typeof` says of it. `*` behind a name: unstable in Deno. Not in the list: aliases of types, which have no
 * members, and the node types of `Deno.lint`, which are a syntax tree's.
 */
import { parse } from "@babel/parser";

export interface Member {
  /** `open`, `FsFile`, `lint.runPlugin`. */
  readonly name: string;
  readonly kind: string;
  readonly category: string;
  readonly unstable: boolean;
  /** Of classes, interfaces and constants: `read()`, `readable`, `static create()`. */
  readonly fields: readonly string[];
}

/** A node of the tree: the parser's own types are another package's. */
// biome-ignore lint/suspicious/noExplicitAny: read by what the tests below find in it.
type Node = any;

/** What a type file declares, in its own order within each category. */
export function membersOf(types: string): Member[] {
  const { program } = parse(types, { sourceType: "module", plugins: [["typescript", { dts: true }]] });
  const found = new Map<string, Member>();
  for (const node of program.body as Node[]) {
    if (node.type === "TSModuleDeclaration" && node.id.name === "Deno") walk(node, "", undefined, found);
  }
  return [...found.values()];
}

function walk(namespace: Node, prefix: string, outer: Member | undefined, found: Map<string, Member>): void {
  for (const statement of namespace.body.body as Node[]) {
    const node = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (node === null || node === undefined) continue;
    const said = (statement.leadingComments ?? []).at(-1)?.value ?? "";
    const category = /@category ([^*\n]+)/.exec(said)?.[1].trim() ?? outer?.category ?? "Runtime";
    const unstable = /@experimental|\*\*UNSTABLE\*\*/.test(said) || outer?.unstable === true;
    const add = (id: string, kind: string, fields: string[] = []): Member => {
      const name = prefix + id;
      const before = found.get(name);
      // An interface may be declared twice, and a function once for each of its overloads.
      const all = [...new Set([...(before?.fields ?? []), ...fields])];
      const member: Member = { name, kind, category, unstable, ...before, fields: all };
      found.set(name, member);
      return member;
    };
    switch (node.type) {
      case "TSDeclareFunction":
        add(node.id.name, "function");
        break;
      case "VariableDeclaration":
        for (const { id } of node.declarations) {
          const type = id.typeAnnotation.typeAnnotation;
          if (type.type === "TSTypeOperator") continue; // a unique symbol that only types know
          add(id.name, typeofOf(type), type.type === "TSTypeLiteral" ? fieldsOf(type.members) : []);
        }
        break;
      case "ClassDeclaration":
        add(node.id.name, "class", fieldsOf(node.body.body));
        break;
      case "TSInterfaceDeclaration":
        if (prefix !== "lint.") add(node.id.name, "interface", fieldsOf(node.body.body));
        break;
      case "TSEnumDeclaration":
        add(
          node.id.name,
          "object",
          (node.body?.members ?? node.members).map(({ id }: Node) => id.name),
        );
        break;
      case "TSModuleDeclaration":
        walk(node, `${prefix}${node.id.name}.`, add(node.id.name, "namespace"), found);
        break;
    }
  }
}

function typeofOf(type: Node): string {
  const words: Record<string, string> = {
    TSNumberKeyword: "number",
    TSStringKeyword: "string",
    TSBooleanKeyword: "boolean",
  };
  // `DenoTest` is an interface that can be called.
  return words[type.type] ?? (type.typeName?.name === "DenoTest" ? "function" : "object");
}

function fieldsOf(members: readonly Node[]): string[] {
  return members.flatMap((member) => {
    if (member.key === undefined || member.kind === "constructor") return [];
    // `[Symbol.dispose]()`; a computed key of one word is a symbol that only types know.
    if (member.computed && member.key.object === undefined) return [];
    const name = member.computed
      ? `[${member.key.object.name}.${member.key.property.name}]`
      : (member.key.name ?? member.key.value);
    const called = /Method/.test(member.type) && member.kind !== "get" && member.kind !== "set";
    return `${member.static ? "static " : ""}${name}${called ? "()" : ""}`;
  });
}

/** The compact list. */
export function written(members: readonly Member[]): string {
  const lines = ["Deno's members, by scripts/deno-docs.ts: see scripts/deno/members.ts"];
  for (const category of [...new Set(members.map((member) => member.category))].sort()) {
    lines.push("", `== ${category}`);
    let last: Member | undefined;
    for (const member of members.filter((one) => one.category === category)) {
      const { name, kind, unstable, fields } = member;
      const shown = unstable ? `${name}*` : name;
      const joins = fields.length === 0 && last?.kind === kind && last.fields.length === 0;
      if (joins) lines[lines.length - 1] += ` ${shown}`;
      else lines.push(`${kind} ${shown}${fields.length > 0 ? `: ${fields.join(", ")}` : ""}`);
      last = member;
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The other way round. */
export function read(list: string): Member[] {
  let category = "";
  return list.split("\n").flatMap((line) => {
    if (line.startsWith("== ")) category = line.slice(3);
    const [, kind, names, fields] = /^(\w+) ([^:]+)(?:: (.*))?$/.exec(line) ?? [];
    if (category === "" || kind === undefined) return [];
    return names.split(" ").map((shown) => ({
      name: shown.replace("*", ""),
      kind,
      category,
      unstable: shown.endsWith("*"),
      fields: fields?.split(", ") ?? [],
    }));
  });
}

/**
 * templates/shared/deno.d.ts: what an editor needs to know of the namespace `Deno` beyond what slipway.d.ts says of it
 * itself. Made of Deno's type file: the declarations of what works here, without their comments.
 */
import { parse } from "@babel/parser";

/** A node of the tree: the parser's own types are another package's. */
// biome-ignore lint/suspicious/noExplicitAny: read by what the tests below find in it.
type Node = any;

const HEAD = `/**
 * The namespace Deno, for an editor with nothing installed, beside slipway.d.ts: what works in Slipway of Deno's type file
 * (MIT, the Deno authors), without its comments. Deno's own page has these: https://docs.deno.com/api/deno
 */
`;

/**
 * `types`: Deno's type file. `own`: slipway.d.ts, which is right about whatever it declares. `works`: whether a member
 * does here.
 */
export function denoTypes(types: string, own: string, works: (name: string) => boolean): string {
  const declaredHere = new Set(statementsOf(own).flatMap(({ names }) => names));
  const there = statementsOf(types).filter(({ names }) =>
    names.every((name) => !declaredHere.has(name) && works(name)),
  );
  // Types that only what is refused, or what we declare otherwise, knows of, would name what is not there.
  const wanted = new Set<Declared>(there.filter(({ type }) => !type));
  for (const { text } of wanted) {
    const words = new Set(text.match(/\b[A-Z]\w+/g));
    for (const each of there) if (each.names.some((name) => words.has(name))) wanted.add(each);
  }
  const kept = there
    .filter((each) => wanted.has(each))
    .map(({ text }) => text.replace(/\bNodeJS\.Timeout\b/g, "object"));
  return `${HEAD}declare namespace Deno {\n${kept.map(indented).join("\n")}\n}\n`;
}

interface Declared {
  readonly names: readonly string[];
  readonly text: string;
  /** An interface or an alias: nothing that is there when a program runs. */
  readonly type: boolean;
}

/** The statements of all \`declare namespace Deno\`, each without comments and \`export\`. */
function statementsOf(types: string): Declared[] {
  const { program, comments } = parse(types, { sourceType: "module", plugins: [["typescript", { dts: true }]] });
  const spaces = [...types];
  for (const { start, end } of (comments ?? []) as Node[]) spaces.fill("", start, end);
  const found: Declared[] = [];
  for (const node of program.body as Node[]) {
    if (node.type !== "TSModuleDeclaration" || node.id.name !== "Deno") continue;
    for (const statement of node.body.body as Node[]) {
      const inner = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
      // \`export {}\` only says that the rest is not exported.
      if (inner === null || inner === undefined) continue;
      const names =
        inner.type === "VariableDeclaration" ? inner.declarations.map(({ id }: Node) => id.name) : [inner.id.name];
      const text = spaces
        .slice(inner.start, inner.end)
        .join("")
        .replace(/\n\s*\n/g, "\n");
      found.push({
        names,
        text: text.replace(/^\s*\n/, ""),
        type: /^TS(Interface|TypeAlias)Declaration$/.test(inner.type),
      });
    }
  }
  return found;
}

function indented(text: string): string {
  return text
    .trim()
    .replace(/^(?! {2})/, "  ")
    .replace(/[ \t]+$/gm, "");
}

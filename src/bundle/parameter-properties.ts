/**
 * Parameter properties (`constructor(private x: X)`) beside fields that read them (`y = this.x`). As the standard's fields
 * are initialized before a constructor's body, esbuild and TypeScript give `undefined` there; Deno, and TypeScript of old,
 * assign the parameters first. So here each initializer becomes a private method on its line, and the constructor calls
 * them, in their order, once the parameters are assigned: names mean in it what they did, and lines stay lines.
 */
import type { ClassBody, ClassMethod, ClassPrivateProperty, ClassProperty, Node, Statement } from "@babel/types";
import { loadParser } from "./parser.ts";

const likely = /\bconstructor\s*\([^{]*?\b(?:private|public|protected|readonly|override)\s/;

/** What is put into the source, and before which character of it. */
interface Change {
  readonly at: number;
  readonly text: string;
}

/** The source with such classes changed; undefined when there are none. */
export async function withParametersFirst(source: string, path: string): Promise<string | undefined> {
  if (!/\.[cm]?tsx?$/.test(path) || !likely.test(source)) return undefined;
  const parse = await loadParser();
  const changes: Change[] = [];
  try {
    const types = /x$/.test(path) ? (["typescript", "jsx"] as const) : (["typescript"] as const);
    const plugins = ["decorators-legacy", "decoratorAutoAccessors", ...types] as const;
    const { program } = parse(source, { sourceType: "module", errorRecovery: true, plugins: [...plugins] });
    visit(program, (body) => changes.push(...changesOf(body, source)));
  } catch {
    // What is wrong with it is esbuild's to tell.
    return undefined;
  }
  if (changes.length === 0) return undefined;
  let text = source;
  // From behind, so that places stay.
  for (const { at, text: more } of changes.sort((a, b) => b.at - a.at)) {
    text = text.slice(0, at) + more + text.slice(at);
  }
  return text;
}

function changesOf({ body }: ClassBody, source: string): Change[] {
  const maker = body.find(
    (member): member is ClassMethod => member.type === "ClassMethod" && member.kind === "constructor",
  );
  if (!maker?.params.some((parameter) => parameter.type === "TSParameterProperty")) return [];
  const fields = body.filter(isMovable);
  if (!fields.some(({ value }) => /\bthis\b/.test(textOf(value, source)))) return [];
  const place = placeIn(maker);
  if (place === undefined) return [];
  const changes = fields.flatMap(({ key, typeAnnotation, end }, index): Change[] => {
    const name = textOf(key, source);
    const target = key.type === "Identifier" || key.type === "PrivateName" ? `this.${name}` : `this[${name}]`;
    let start = typeAnnotation?.end ?? key.end ?? 0;
    if (/[?!]/.test(source[start])) start++;
    // Up to its semicolon: an initializer in parentheses ends behind them.
    const last = (end ?? start) - (source[(end ?? start) - 1] === ";" ? 1 : 0);
    return [
      { at: start, text: `; #slipway_${index}() { ${target}` },
      // A semicolon that stands behind is one more member of the class: none.
      { at: last, text: "; }" },
    ];
  });
  const calls = fields.map((_, index) => ` this.#slipway_${index}();`).join("");
  return [...changes, { at: place, text: calls }];
}

type Field = (ClassProperty | ClassPrivateProperty) & { readonly computed?: boolean | null };

function isMovable(member: Node): member is Field {
  if (member.type !== "ClassProperty" && member.type !== "ClassPrivateProperty") return false;
  const { value, decorators, computed } = member as Field;
  return value != null && !member.static && !computed && (decorators ?? []).length === 0;
}

/** Where the parameters have just been assigned: at the body's beginning, or behind its call of super. */
function placeIn({ body }: ClassMethod): number | undefined {
  const calls = body.body.find(isSuper);
  const first = body.directives.at(-1)?.end ?? (body.start ?? 0) + 1;
  if (calls === undefined) return first;
  return calls.end ?? undefined;
}

function isSuper(statement: Statement): boolean {
  if (statement.type !== "ExpressionStatement" || statement.expression.type !== "CallExpression") return false;
  return statement.expression.callee.type === "Super";
}

function textOf(node: Node | null | undefined, source: string): string {
  return node == null ? "" : source.slice(node.start ?? 0, node.end ?? 0);
}

function visit(node: Node, found: (body: ClassBody) => void): void {
  if (node.type === "ClassBody") found(node);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const one of value) if (isNode(one)) visit(one, found);
    } else if (isNode(value)) {
      visit(value, found);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

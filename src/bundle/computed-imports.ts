/**
 * `import(name)` of a name that only the running program knows. esbuild would make a `require` of it; here it becomes a
 * call of the loader's own (load.ts), which finds the modules of this very program, as they are and not a second time.
 *
 * The word `import` is replaced by a name of the same length, so that columns stay where they were.
 */
import type { Node } from "@babel/types";
import { loadParser } from "./parser.ts";

/** What stands in place of `import`. */
export const IMPORT = "__imp_";

/** Most files have none, and need not be parsed. What `import("./…" + name)` and `` import(`./…${name}`) `` may mean, esbuild bundles. */
const computed = /\bimport\s*\(\s*(?!\s|["'`]\.{1,2}\/|"[^"\n]*"\s*[,)]|'[^'\n]*'\s*[,)]|`[^`$]*`\s*[,)]|\/[/*])/;

/** The source with its computed imports replaced; undefined when there are none. */
export async function withComputedImports(source: string, path: string): Promise<string | undefined> {
  if (!computed.test(source) || source.includes(IMPORT)) return undefined;
  const parse = await loadParser();
  const places: number[] = [];
  try {
    const types = /ts$/.test(path)
      ? (["typescript"] as const)
      : /tsx$/.test(path)
        ? (["typescript", "jsx"] as const)
        : (["jsx"] as const);
    collect(
      parse(source, { sourceType: "module", errorRecovery: true, plugins: ["decorators", ...types] }).program,
      places,
    );
  } catch {
    // What is wrong with it is esbuild's to tell.
    return undefined;
  }
  if (places.length === 0) return undefined;
  let text = source;
  for (const start of places) text = text.slice(0, start) + IMPORT + text.slice(start + IMPORT.length);
  return text;
}

function collect(node: Node, places: number[]): void {
  if (node.type === "ImportExpression" && node.phase == null && isComputed(node.source)) places.push(node.start ?? 0);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const one of value) if (isNode(one)) collect(one, places);
    } else if (isNode(value)) {
      collect(value, places);
    }
  }
}

function isComputed(source: Node): boolean {
  if (source.type === "StringLiteral") return false;
  if (source.type === "TemplateLiteral" && source.expressions.length === 0) return false;
  return !/^\.{1,2}\//.test(beginning(source));
}

/** How the text begins that an expression makes, as far as it is written there. */
function beginning(node: Node): string {
  switch (node.type) {
    case "StringLiteral":
      return node.value;
    case "TemplateLiteral":
      return node.quasis[0]?.value.raw ?? "";
    case "BinaryExpression":
      return beginning(node.left);
    default:
      return "";
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

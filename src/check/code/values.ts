/** Values that can be known without running the program: literals, constants, members of options. */
import type * as N from "@babel/types";
import type { Place, Project } from "./project.ts";
import type { SourceFile } from "./source.ts";
import { type Node, nameOf, textOf, unwrap } from "./tree.ts";

/** A member of an object: where it is; `"unknown"` when a spread or a computed key may bring it; undefined when it is not there. */
export function memberOf(object: Place, name: string, project: Project, depth = 0): Place | "unknown" | undefined {
  const { node, file } = object;
  if (node.type !== "ObjectExpression" || depth > 5) return "unknown";
  let unsure = false;
  for (const one of node.properties.toReversed()) {
    if (one.type === "SpreadElement") {
      const spread = project.definition(one.argument, file);
      const found = memberOf(spread, name, project, depth + 1);
      if (found === "unknown") unsure = true;
      else if (found !== undefined) return found;
    } else if (nameOf(one) === name) {
      return { node: one.type === "ObjectProperty" ? one.value : one, file };
    } else if (nameOf(one) === undefined) {
      unsure = true;
    }
  }
  return unsure ? "unknown" : undefined;
}

/** Every member that is written out, spreads of known objects included. */
export function* membersOf(object: Place, project: Project, depth = 0): Generator<{ name: string; key: Node } & Place> {
  const { node, file } = object;
  if (node.type !== "ObjectExpression" || depth > 5) return;
  for (const one of node.properties) {
    if (one.type === "SpreadElement") yield* membersOf(project.definition(one.argument, file), project, depth + 1);
    else if (one.type === "ObjectProperty") yield { name: nameOf(one) ?? "", key: one, node: one.value, file };
  }
}

/** A number or text, if it is one that the source says: sums, products and shifts of numbers are computed. */
export function constant(node: Node, file: SourceFile, project: Project): number | string | undefined {
  const place = project.definition(node, file);
  return evaluate(place.node, place.file, project, 0);
}

function evaluate(node: Node, file: SourceFile, project: Project, depth: number): number | string | undefined {
  const bare = unwrap(node);
  switch (bare.type) {
    case "NumericLiteral":
      return bare.value;
    case "StringLiteral":
    case "TemplateLiteral":
      return textOf(bare);
    case "UnaryExpression": {
      const value = depth < 10 ? constantAt(bare.argument, file, project, depth) : undefined;
      return typeof value === "number" && bare.operator === "-" ? -value : undefined;
    }
    case "BinaryExpression":
      return depth < 10 ? binary(bare, file, project, depth) : undefined;
    case "Identifier":
      return bare.name === "Infinity" && file.binding(bare) === undefined ? Number.POSITIVE_INFINITY : undefined;
    case "MemberExpression": {
      const name = bare.object.type === "Identifier" && bare.object.name === "Number" ? nameOf(bare) : undefined;
      if (name === "POSITIVE_INFINITY" || name === "MAX_VALUE" || name === "MAX_SAFE_INTEGER") return Number[name];
      return undefined;
    }
    default:
      return undefined;
  }
}

function constantAt(node: Node, file: SourceFile, project: Project, depth: number): number | string | undefined {
  const place = project.definition(node, file);
  return evaluate(place.node, place.file, project, depth + 1);
}

function binary(node: N.BinaryExpression, file: SourceFile, project: Project, depth: number): number | undefined {
  const left = constantAt(node.left, file, project, depth);
  const right = constantAt(node.right, file, project, depth);
  if (typeof left !== "number" || typeof right !== "number") return undefined;
  switch (node.operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "**":
      return left ** right;
    case "<<":
      return left << right;
    default:
      return undefined;
  }
}

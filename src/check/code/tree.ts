/** Walking Babel's tree: children, functions, and what is left of an expression without its TypeScript clothes. */
import type * as N from "@babel/types";

export type Node = N.Node;
export type NodeType = Node["type"];
export type NodeOf<T extends NodeType> = Extract<Node, { type: T }>;

export type FunctionNode =
  | N.FunctionDeclaration
  | N.FunctionExpression
  | N.ArrowFunctionExpression
  | N.ObjectMethod
  | N.ClassMethod
  | N.ClassPrivateMethod;

/** A call, with or without `?.` somewhere in its chain. */
export type Call = N.CallExpression | N.OptionalCallExpression;
export type Member = N.MemberExpression | N.OptionalMemberExpression;
export type Loop = N.ForStatement | N.ForInStatement | N.ForOfStatement | N.WhileStatement | N.DoWhileStatement;

/** Types are for tsc: no rule looks into them, and names in them are no references to values. */
const skipped = new Set([
  "type",
  "loc",
  "extra",
  "typeAnnotation",
  "typeParameters",
  "typeArguments",
  "returnType",
  "superTypeParameters",
  "superTypeArguments",
  "implements",
  "leadingComments",
  "innerComments",
  "trailingComments",
  "errors",
  "comments",
  "tokens",
]);

const clothes = new Set<string>([
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
  "TSExportAssignment",
  "TSParameterProperty",
  "TSEnumDeclaration",
  "TSEnumBody",
  "TSEnumMember",
  "TSModuleDeclaration",
  "TSModuleBlock",
]);

/** The nodes directly below, in the order of the source. */
export function children(node: Node): Node[] {
  const found: Node[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (skipped.has(key)) continue;
    if (Array.isArray(value)) {
      for (const one of value) if (isNode(one)) found.push(one);
    } else if (isNode(value)) {
      found.push(value);
    }
  }
  return found;
}

function isNode(value: unknown): value is Node {
  const type = (value as { type?: unknown } | null | undefined)?.type;
  return typeof type === "string" && (!type.startsWith("TS") || clothes.has(type));
}

/** The node and everything below it, in source order; `enter` says false to leave a part out. */
export function* within(node: Node, enter: (node: Node) => boolean = () => true): Generator<Node> {
  yield node;
  for (const child of children(node)) if (enter(child)) yield* within(child, enter);
}

/** As `within`, without the bodies of functions that the node contains. */
export function ownCode(node: Node): Generator<Node> {
  return within(node, (inner) => !isFunction(inner));
}

export function isFunction(node: Node | null | undefined): node is FunctionNode {
  switch (node?.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
    case "ObjectMethod":
    case "ClassMethod":
    case "ClassPrivateMethod":
      return true;
    default:
      return false;
  }
}

export function isCall(node: Node | null | undefined): node is Call {
  return node?.type === "CallExpression" || node?.type === "OptionalCallExpression";
}

export function isMember(node: Node | null | undefined): node is Member {
  return node?.type === "MemberExpression" || node?.type === "OptionalMemberExpression";
}

export function isLoop(node: Node): node is Loop {
  return /^(?:For(?:In|Of)?|While|DoWhile)Statement$/.test(node.type);
}

/** The expression without casts, parentheses and `!`. */
export function unwrap(node: Node): Node {
  switch (node.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "TSTypeAssertion":
    case "TSInstantiationExpression":
    case "ParenthesizedExpression":
      return unwrap(node.expression);
    default:
      return node;
  }
}

/** As `unwrap`, and without `await`. */
export function awaited(node: Node): Node {
  const bare = unwrap(node);
  return bare.type === "AwaitExpression" ? awaited(bare.argument) : bare;
}

/** The name in `a.name`, `a["name"]`, `{ name: … }` and `name() {}`; undefined when it is computed. */
export function nameOf(node: Node): string | undefined {
  switch (node.type) {
    case "MemberExpression":
    case "OptionalMemberExpression":
      return keyName(node.property, node.computed);
    case "ObjectProperty":
    case "ObjectMethod":
    case "ClassMethod":
    case "ClassProperty":
      return keyName(node.key, node.computed === true);
    case "ClassPrivateMethod":
    case "ClassPrivateProperty":
      return keyName(node.key, false);
    default:
      return undefined;
  }
}

function keyName(key: Node, computed: boolean): string | undefined {
  if (key.type === "StringLiteral") return key.value;
  if (key.type === "NumericLiteral") return String(key.value);
  if (key.type === "PrivateName") return `#${key.id.name}`;
  return !computed && key.type === "Identifier" ? key.name : undefined;
}

/** The text of a literal: a string, or a template without expressions. */
export function textOf(node: Node | null | undefined): string | undefined {
  if (node == null) return undefined;
  const bare = unwrap(node);
  if (bare.type === "StringLiteral") return bare.value;
  if (bare.type === "TemplateLiteral" && bare.expressions.length === 0) return bare.quasis[0].value.cooked ?? undefined;
  return undefined;
}

/** The method's name and its receiver in `receiver.method(…)`. */
export function methodOf(call: Node): { receiver: Node; method: string } | undefined {
  if (!isCall(call)) return undefined;
  const callee = unwrap(call.callee);
  if (!isMember(callee)) return undefined;
  const method = nameOf(callee);
  return method === undefined ? undefined : { receiver: unwrap(callee.object), method };
}

/** All identifiers that a pattern binds. */
export function* boundIn(pattern: Node | null | undefined): Generator<N.Identifier> {
  switch (pattern?.type) {
    case "Identifier":
      yield pattern;
      return;
    case "AssignmentPattern":
      yield* boundIn(pattern.left);
      return;
    case "RestElement":
      yield* boundIn(pattern.argument);
      return;
    case "ArrayPattern":
      for (const element of pattern.elements) yield* boundIn(element);
      return;
    case "ObjectPattern":
      for (const property of pattern.properties) {
        yield* boundIn(property.type === "ObjectProperty" ? property.value : property.argument);
      }
      return;
    case "TSParameterProperty":
      yield* boundIn(pattern.parameter);
      return;
  }
}

/** The name of a parameter's or variable's annotated type: `Request`, `Deno.Conn`; undefined when it has none. */
export function typeName(node: Node): string | undefined {
  const holder = node.type === "AssignmentPattern" ? node.left : node;
  const annotation = "typeAnnotation" in holder ? holder.typeAnnotation : undefined;
  if (annotation?.type !== "TSTypeAnnotation" || annotation.typeAnnotation.type !== "TSTypeReference") return undefined;
  return entityName(annotation.typeAnnotation.typeName);
}

function entityName(name: Node): string {
  if (name.type === "Identifier") return name.name;
  return name.type === "TSQualifiedName" ? `${entityName(name.left)}.${entityName(name.right)}` : "";
}

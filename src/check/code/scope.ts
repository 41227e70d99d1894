/** Which declaration a name means: scopes, bindings, and every reference to them (ECMA-262, 9.1 and 8.2). */
import type * as N from "@babel/types";
import { boundIn, children, isFunction, type Node } from "./tree.ts";

/** A declared name. */
export interface Binding {
  readonly name: string;
  readonly kind: "import" | "const" | "let" | "var" | "function" | "class" | "parameter" | "catch";
  /** What declares it: a declarator, an import specifier, the function or class; for a parameter, the function. */
  readonly declaration: Node;
  readonly identifier: N.Identifier;
  /** The function it lives in; undefined for the module's own. */
  readonly home: Node | undefined;
  readonly references: N.Identifier[];
}

/** The bindings of a file by the identifiers that mean them, declarations included. */
export function bind(program: Node, parent: (node: Node) => Node | undefined): ReadonlyMap<Node, Binding> {
  const bindings = new Map<Node, Binding>();
  const scopes = new Map<Node, Map<string, Binding>>();
  declareAll(program, [], scopes, bindings);
  referAll(program, parent, [], scopes, bindings);
  return bindings;
}

const blocks = new Set<string>([
  "Program",
  "BlockStatement",
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "SwitchStatement",
  "CatchClause",
  "ClassExpression",
  "StaticBlock",
  "TSModuleBlock",
]);

type Scopes = Map<Node, Map<string, Binding>>;

/** Above: the nodes with a scope around this one, innermost last. */
function declareAll(node: Node, above: readonly Node[], scopes: Scopes, bindings: Map<Node, Binding>): void {
  const opens = blocks.has(node.type) || isFunction(node);
  const around = opens ? [...above, node] : above;
  const here = around[around.length - 1] ?? node;
  const hoisted = around.findLast((one) => isFunction(one) || one.type === "Program") ?? here;
  const declare = (scope: Node, kind: Binding["kind"], declaration: Node, identifiers: Iterable<N.Identifier>) => {
    const names = scopes.get(scope) ?? new Map<string, Binding>();
    scopes.set(scope, names);
    const home = [...above, scope].findLast(isFunction);
    for (const identifier of identifiers) {
      const known = names.get(identifier.name);
      const binding = known ?? { name: identifier.name, kind, declaration, identifier, home, references: [] };
      names.set(identifier.name, binding);
      bindings.set(identifier, binding);
    }
  };
  switch (node.type) {
    case "VariableDeclaration": {
      const kind = node.kind === "let" || node.kind === "var" ? node.kind : "const";
      for (const one of node.declarations) declare(kind === "var" ? hoisted : here, kind, one, boundIn(one.id));
      break;
    }
    case "FunctionDeclaration":
      if (node.id) declare(above[above.length - 1] ?? here, "function", node, [node.id]);
      break;
    case "FunctionExpression":
      if (node.id) declare(node, "function", node, [node.id]);
      break;
    case "ClassDeclaration":
      if (node.id) declare(here, "class", node, [node.id]);
      break;
    case "ClassExpression":
      if (node.id) declare(node, "class", node, [node.id]);
      break;
    case "CatchClause":
      declare(node, "catch", node, boundIn(node.param));
      break;
    case "ImportDeclaration":
      for (const one of node.specifiers) declare(here, "import", one, [one.local]);
      break;
    case "TSEnumDeclaration":
      declare(here, "const", node, [node.id]);
      break;
  }
  if (isFunction(node)) for (const one of node.params) declare(node, "parameter", node, boundIn(one));
  for (const child of children(node)) declareAll(child, around, scopes, bindings);
}

function referAll(
  node: Node,
  parent: (node: Node) => Node | undefined,
  above: readonly Map<string, Binding>[],
  scopes: Scopes,
  bindings: Map<Node, Binding>,
): void {
  const own = scopes.get(node);
  const around = own === undefined ? above : [...above, own];
  if (node.type === "Identifier" && !bindings.has(node) && isReference(node, parent(node))) {
    const binding = around.findLast((names) => names.has(node.name))?.get(node.name);
    if (binding !== undefined) {
      binding.references.push(node);
      bindings.set(node, binding);
    }
  }
  for (const child of children(node)) referAll(child, parent, around, scopes, bindings);
}

/** False for names that are only keys and labels. */
function isReference(node: N.Identifier, parent: Node | undefined): boolean {
  switch (parent?.type) {
    case "MemberExpression":
    case "OptionalMemberExpression":
      return parent.object === node || parent.computed;
    case "ObjectProperty":
    case "ClassProperty":
      return parent.value === node || parent.computed === true;
    case "ObjectMethod":
    case "ClassMethod":
      return parent.key !== node || parent.computed === true;
    case "ClassPrivateProperty":
      return parent.value === node;
    case "ExportSpecifier":
      return parent.local === node;
    case "ImportSpecifier":
    case "PrivateName":
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
    case "TSEnumMember":
      return false;
    default:
      return true;
  }
}

/** True when something other than its declaration gives it a value. */
export function isReassigned(binding: Binding, parent: (node: Node) => Node | undefined): boolean {
  return binding.references.some((reference) => {
    const above = parent(reference);
    if (above?.type === "AssignmentExpression") return above.left === reference;
    if (above?.type === "UpdateExpression") return true;
    return (above?.type === "ForInStatement" || above?.type === "ForOfStatement") && above.left === reference;
  });
}

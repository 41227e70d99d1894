import type * as N from "@babel/types";
import type { Program, Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import type { SourceFile } from "../source.ts";
import { isFunction, isMember, type Node, nameOf, textOf, unwrap } from "../tree.ts";
import { constant } from "../values.ts";

type Kind = "map" | "set" | "array" | "object" | "text";

export const unboundedCollection: Rule = {
  id: "unbounded-collection",
  severity: "warning",
  harm: "requests add to it and nothing ever takes away: a client that makes up new keys fills the memory, and so does time.",
  cure: "bound it: evict the oldest entry when .size exceeds a limit, delete when the client has gone, or keep it in a cache with a size and an age",
  check(program, report) {
    const { project, handlers } = program;
    const imported = importedUses(program);
    for (const file of project.files) {
      for (const binding of file.bindings()) {
        const { declaration, home } = binding;
        if (declaration.type !== "VariableDeclarator" || declaration.id !== binding.identifier) continue;
        const kind = kindOf(declaration.init, file);
        // What a handler makes dies with its request.
        if (kind === undefined || (home !== undefined && handlers.includes(home, file))) continue;
        const elsewhere = declaration.init ? imported.get(unwrap(declaration.init)) : undefined;
        look(binding.name, kind, [...binding.references.map((node) => ({ node, file })), ...(elsewhere ?? [])]);
      }
      for (const field of file.of("ClassProperty", "ClassPrivateProperty")) {
        const kind = kindOf(field.value, file);
        const owner = file.parent(file.parent(field) ?? field);
        if (kind === undefined || owner === undefined || !outlivesRequests(owner, field, program)) continue;
        const name = nameOf(field) ?? "";
        const uses = file
          .of("MemberExpression", "OptionalMemberExpression")
          .filter((one) => nameOf(one) === name && isInside(one, owner, file) && isOwn(one.object, owner))
          .map((node) => ({ node, file }));
        look(name, kind, uses);
      }
    }

    function look(name: string, kind: Kind, uses: readonly Use[]): void {
      if (uses.some((use) => bounds(use, kind))) return;
      const growth = uses.find((use) => handlers.includes(use.node, use.file) && grows(use, kind, program));
      if (growth === undefined) return;
      report(growth.file.parent(growth.node) ?? growth.node, growth.file, {
        harm: `requests add to ${name} and nothing ever takes away: a client that makes up new keys fills the memory, and so does time.`,
        cure: kind === "array" ? "keep the last n: when .length exceeds a limit, shift() the oldest away" : undefined,
      });
    }
  },
};

/** True for static members, and for those of objects that are made outside of handlers and nowhere else. */
function outlivesRequests(owner: Node, field: Node, { project, handlers }: Program): boolean {
  if ("static" in field && field.static) return true;
  const made = project.files.flatMap((file) =>
    file
      .of("NewExpression")
      .filter((one) => project.definition(one.callee, file).node === owner)
      .map((node) => handlers.includes(node, file)),
  );
  return made.length > 0 && made.every((inHandler) => !inHandler);
}

function isInside(node: Node, owner: Node, file: SourceFile): boolean {
  for (const above of file.ancestors(node)) if (above === owner) return true;
  return false;
}

/** `this`, or the class's own name. */
function isOwn(object: Node, owner: Node): boolean {
  if (object.type === "ThisExpression") return true;
  return (
    object.type === "Identifier" && "id" in owner && owner.id?.type === "Identifier" && owner.id.name === object.name
  );
}

function kindOf(value: Node | null | undefined, file: SourceFile): Kind | undefined {
  const init = value ? unwrap(value) : undefined;
  if (init?.type === "StringLiteral") return "text";
  if (init?.type === "ArrayExpression") return "array";
  if (init?.type === "ObjectExpression") return "object";
  if (init?.type === "CallExpression") return calleeName(init, file) === "Object.create" ? "object" : undefined;
  if (init?.type !== "NewExpression") return undefined;
  const name = calleeName(init, file);
  return name === "Map" ? "map" : name === "Set" ? "set" : name === "Array" ? "array" : undefined;
}

interface Use {
  readonly node: Node;
  readonly file: SourceFile;
}

/** References in other files than the one that makes the value, by that value. */
function importedUses({ project }: Program): Map<Node, Use[]> {
  const uses = new Map<Node, Use[]>();
  for (const file of project.files) {
    for (const binding of file.bindings()) {
      if (binding.kind !== "import") continue;
      const { node } = project.definition(binding.identifier, file);
      const found = binding.references.map((reference) => ({ node: reference, file }));
      uses.set(node, [...(uses.get(node) ?? []), ...found]);
    }
  }
  return uses;
}

/** Something that may keep it small: a deletion, a look at its size, a new value, or somebody else who gets it. */
function bounds({ node, file }: Use, kind: Kind): boolean {
  const above = file.parent(node);
  if (above === undefined || above.type === "VariableDeclarator")
    return above?.type === "VariableDeclarator" && above.init === node;
  if (above.type === "AssignmentExpression" && above.left === node) return !addsToItself(above, file);
  if (isMember(above) && above.object === node) {
    const name = nameOf(above);
    if (name !== undefined && /^(?:delete|clear|shift|pop|splice|size|values|keys|entries)$/.test(name)) {
      // Listing the values is no bound; a look at the size, or the oldest key, is how one is made.
      return name === "size"
        ? isCompared(above, file)
        : !/^(?:values|entries)$/.test(name) && (name !== "keys" || leadsToDeletion(above, file));
    }
    if (name === "length") return isCompared(above, file) || isAssigned(above, file);
    const outer = file.parent(above);
    return kind === "object" && outer?.type === "UnaryExpression" && outer.operator === "delete";
  }
  // Passed to a function: prune(cache), setInterval(sweep, 1000, cache).
  if ((above.type === "CallExpression" || above.type === "NewExpression") && above.callee !== node) {
    const callee = above.callee.type === "Identifier" ? above.callee.name : nameOf(above.callee);
    return !/^(?:stringify|json|log|keys|values|entries|isArray|from|table|info|error|parse|fromEntries|hasOwn)$/.test(
      callee ?? "",
    );
  }
  return false;
}

/** `log += line`, `list = [...list, item]`, `table = { ...table, [key]: value }` */
function addsToItself({ operator, left, right }: N.AssignmentExpression, file: SourceFile): boolean {
  if (operator === "+=") return true;
  const name = file.slice(left);
  const value = unwrap(right);
  const parts: readonly (Node | null)[] =
    value.type === "ArrayExpression" ? value.elements : value.type === "ObjectExpression" ? value.properties : [];
  return parts.some((one) => one?.type === "SpreadElement" && file.slice(one.argument) === name);
}

function isCompared(node: Node, file: SourceFile): boolean {
  for (const above of file.ancestors(node)) {
    if (above.type === "BinaryExpression" && /[<>]|===?|!==?/.test(above.operator)) return true;
    if (isFunction(above) || above.type.endsWith("Statement")) return false;
  }
  return false;
}

function isAssigned(node: Node, file: SourceFile): boolean {
  const above = file.parent(node);
  return above?.type === "AssignmentExpression" && above.left === node;
}

function leadsToDeletion(node: Node, file: SourceFile): boolean {
  for (const above of file.ancestors(node)) {
    if (isFunction(above) || above.type === "Program") return /\bdelete\b/.test(file.slice(above));
  }
  return false;
}

/** `map.set(key, …)`, `list.push(…)`, `object[key] = …` with a key that differs from call to call. */
function grows({ node, file }: Use, kind: Kind, { project }: Program): boolean {
  const member = file.parent(node);
  if (member?.type === "AssignmentExpression" && member.left === node) {
    return kind === "text"
      ? member.operator === "+="
      : kind !== "map" && member.operator === "=" && addsToItself(member, file);
  }
  if (member === undefined || !isMember(member) || member.object !== node) return false;
  const above = file.parent(member);
  const name = nameOf(member);
  if (kind === "object") {
    if (!member.computed || textOf(member.property) !== undefined) return false;
    if (constant(member.property, file, project) !== undefined) return false;
    return above?.type === "AssignmentExpression" && above.left === member && !isClosed(member.property, file);
  }
  if (above?.type !== "CallExpression" || above.callee !== member) return false;
  if (kind === "array") return name === "push" || name === "unshift";
  if (name !== "set" && name !== "add") return false;
  const key = above.arguments[0];
  return key !== undefined && constant(key, file, project) === undefined && !isClosed(key, file);
}

/** Keys out of a closed set: `request.method`, a boolean, a status, `env.PROJECT_ID`. */
function isClosed(key: Node, file: SourceFile): boolean {
  return /(?:^|\.)(?:method|status|constructor)$|^(?:true|false|null)$|(?:^|\.)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|\benv\./.test(
    file.slice(key),
  );
}

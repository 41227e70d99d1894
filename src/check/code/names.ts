/** What a call calls, by a name that does not depend on how it was imported: `fetch`, `Deno.serve`, `node:fs#readFileSync`. */
import { isBuiltin } from "node:module";
import type { Project } from "./project.ts";
import { isReassigned } from "./scope.ts";
import type { SourceFile } from "./source.ts";
import { awaited, boundIn, isCall, isMember, type Node, nameOf, textOf, unwrap } from "./tree.ts";

const globals = new Set(["globalThis", "global", "window", "self"]);

/**
 * Globals by their dotted path, exports of packages and built-ins as `module#name`. Undefined for what is defined in
 * the sources or unknown.
 */
export function publicName(node: Node, file: SourceFile, depth = 0): string | undefined {
  if (depth > 8) return undefined;
  const bare = awaited(node);
  if (bare.type === "Identifier") {
    const binding = file.binding(bare);
    if (binding === undefined) return bare.name;
    if (binding.kind === "import") return importedName(binding.declaration, file);
    const { declaration } = binding;
    if (declaration.type !== "VariableDeclarator" || declaration.init == null) return undefined;
    if (binding.kind !== "const" && isReassigned(binding, (one) => file.parent(one))) return undefined;
    const origin = publicName(declaration.init, file, depth + 1);
    if (origin === undefined) return undefined;
    const path = pathTo(binding.identifier, declaration.id);
    return path?.reduce(member, origin);
  }
  if (isMember(bare)) {
    const name = nameOf(bare);
    const owner = publicName(bare.object, file, depth + 1);
    return name === undefined || owner === undefined ? undefined : member(owner, name);
  }
  if (isCall(bare) || bare.type === "ImportExpression") {
    const callee = isCall(bare) ? unwrap(bare.callee) : undefined;
    const isRequire = callee?.type === "Identifier" && callee.name === "require" && file.binding(callee) === undefined;
    const getter = callee === undefined ? undefined : isMember(callee) && nameOf(callee) === "getBuiltinModule";
    if (callee !== undefined && !isRequire && !getter) return undefined;
    const specifier = textOf(isCall(bare) ? bare.arguments[0] : bare.source);
    return specifier === undefined ? undefined : `${moduleName(specifier)}#`;
  }
  return undefined;
}

/** What a call calls. */
export function calleeName(call: Node, file: SourceFile): string | undefined {
  return isCall(call) || call.type === "NewExpression" ? publicName(call.callee, file) : undefined;
}

function member(owner: string, name: string): string {
  if (globals.has(owner)) return name;
  // fs.promises is node:fs/promises; a default export of a built-in is the module itself.
  if (owner === "node:fs#promises") return `node:fs/promises#${name}`;
  if (owner.endsWith("#default") || owner.endsWith("#")) return `${owner.slice(0, owner.lastIndexOf("#"))}#${name}`;
  return `${owner}.${name}`;
}

function importedName(specifier: Node, file: SourceFile): string | undefined {
  const declaration = file.parent(specifier);
  if (declaration?.type !== "ImportDeclaration") return undefined;
  const module = moduleName(declaration.source.value);
  // A file of the user's own: what it is, Project.definition says.
  if (/^[./]/.test(module)) return undefined;
  if (specifier.type === "ImportSpecifier") {
    const { imported } = specifier;
    return member(`${module}#`, imported.type === "Identifier" ? imported.name : imported.value);
  }
  return `${module}#`;
}

/** `fs` and `npm:hono@4` as `node:fs` and `hono`. */
function moduleName(specifier: string): string {
  if (!specifier.startsWith("node:") && isBuiltin(specifier)) return `node:${specifier}`;
  return specifier.replace(/^(?:npm|jsr):\/?((?:@[^/]+\/)?[^/@]+)(?:@[^/]*)?/, "$1");
}

/** The keys that lead from a destructured value to one of the names: `["promises"]` for `{ promises: fs }`. */
function pathTo(identifier: Node, pattern: Node): string[] | undefined {
  if (pattern === identifier) return [];
  if (pattern.type !== "ObjectPattern") return undefined;
  for (const property of pattern.properties) {
    if (property.type !== "ObjectProperty" || ![...boundIn(property.value)].includes(identifier as never)) continue;
    const name = nameOf(property);
    const rest = name === undefined ? undefined : pathTo(identifier, property.value);
    return name === undefined || rest === undefined ? undefined : [name, ...rest];
  }
  return undefined;
}

/** The function, class or object of the sources that is called, if it is one. */
export function calledFunction(call: Node, file: SourceFile, project: Project) {
  return isCall(call) ? project.definition(call.callee, file) : undefined;
}

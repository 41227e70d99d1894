/** The options of servers in the user's sources: beside an exported handler, in calls of serve, in `limits` hooks. */
import { calleeName } from "./names.ts";
import type { Place, Project } from "./project.ts";
import { isCall, isFunction, type Node, nameOf, within } from "./tree.ts";
import { constant, memberOf, membersOf } from "./values.ts";

/** `maxBodyBytes: "none"`: the member's name, where it is written, and its value if that is known. */
export interface Option extends Place {
  readonly name: string;
  /** `name: value` as a whole. */
  readonly key: Node;
  readonly value: number | string | undefined;
}

/** One server: every option that is written out for it. */
export interface ServerOptions {
  readonly options: readonly Option[];
  /** What starts it: the call, or the exported object. */
  readonly place: Place;
}

const serving = /^(?:Deno\.serve|Bun\.serve|(?:node:)?(?:[^#]*)#(?:serve|createServer))$/;

export function serverOptions(project: Project): ServerOptions[] {
  const found: ServerOptions[] = [];
  const seen = new Set<Node>();
  const add = (object: Place, place: Place) => {
    if (object.node.type !== "ObjectExpression" || seen.has(object.node)) return;
    seen.add(object.node);
    const options = [...membersOf(object, project), ...hooked(object, project)].map((one) => ({
      ...one,
      value: constant(one.node, one.file, project),
    }));
    found.push({ options, place });
  };
  for (const file of project.files) {
    const exported = file.exports.get("default");
    if (exported !== undefined && "node" in exported) {
      const object = project.definition(exported.node, file);
      const serves = ["fetch", "connect"].some((name) => memberOf(object, name, project) !== undefined);
      if (object.node.type === "ObjectExpression" && serves) add(object, object);
    }
    for (const call of file.of("CallExpression", "OptionalCallExpression", "NewExpression")) {
      if (!serving.test(calleeName(call, file) ?? "")) continue;
      for (const argument of call.arguments) add(project.definition(argument, file), { node: call, file });
    }
  }
  return found;
}

/** What a `limits(request)` hook gives back. */
function* hooked(object: Place, project: Project): Generator<{ name: string; key: Node } & Place> {
  const hook = memberOf(object, "limits", project);
  if (hook === undefined || hook === "unknown") return;
  const { node, file } = project.definition(hook.node, hook.file);
  if (!isFunction(node)) return;
  for (const one of within(node.body)) {
    if (one.type === "ObjectExpression") yield* membersOf({ node: one, file }, project);
  }
}

/** Limits that a handler sets for its own request: `info.setMaxBodyBytes("none")`. */
export function* requestLimits(project: Project): Generator<Option> {
  for (const file of project.files) {
    for (const call of file.of("CallExpression", "OptionalCallExpression")) {
      const callee = call.callee;
      const method = "property" in callee ? nameOf(callee) : undefined;
      const name = /^set(ReadTimeout|WriteTimeout|MaxBodyBytes|MinRate)$/.exec(method ?? "")?.[1];
      const argument = call.arguments[0];
      if (name === undefined || argument === undefined || !isCall(call)) continue;
      const value = constant(argument, file, project);
      yield { name: name[0].toLowerCase() + name.slice(1), key: call, node: argument, file, value };
    }
  }
}

const units: Record<string, number> = {
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  tb: 1e12,
};

/** Bytes of `"1GiB"` or a number; undefined for anything else. */
export function bytesOf(value: number | string | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (value === "none") return Number.POSITIVE_INFINITY;
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]i?b)?\s*$/i.exec(value ?? "");
  return parts === null ? undefined : Number(parts[1]) * (units[parts[2]?.toLowerCase()] ?? 1);
}

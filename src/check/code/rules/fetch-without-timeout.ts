import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import type { Place, Project } from "../project.ts";
import type { SourceFile } from "../source.ts";
import { isCall, isMember, methodOf, type Node, nameOf, textOf, typeName, unwrap } from "../tree.ts";
import { memberOf } from "../values.ts";

export const fetchWithoutTimeout: Rule = {
  id: "fetch-without-timeout",
  severity: "warning",
  harm: "the server that is asked decides how long this request lasts: one that accepts and never answers holds it, and all its memory, for 30 s (fetchHeaderTimeout), also when the client has left.",
  cure: "fetch(url, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(5_000)]) })",
  check({ project }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression", "OptionalCallExpression")) {
        if (
          !/^(?:fetch|undici#fetch|(?:node-fetch|cross-fetch|undici)#(?:default|fetch|request)?|node-fetch#)$/.test(
            calleeName(call, file) ?? "",
          )
        )
          continue;
        if (isBounded(call.arguments as readonly Node[], file, project) || isRaced(call, file)) continue;
        report(call, file);
      }
    }
  },
};

function isBounded([resource, init]: readonly Node[], file: SourceFile, project: Project): boolean {
  if (resource === undefined || resource.type === "SpreadElement") return true;
  if (init !== undefined && initIsBounded(init, file, project)) return true;
  const { node, file: home } = project.definition(resource, file);
  if (node.type === "NewExpression" && calleeName(node, home) === "Request") {
    return isBounded(node.arguments as readonly Node[], home, project);
  }
  return isRequest(node, home) || isLocal(node, home);
}

/** Options that have a signal, or may have one. */
function initIsBounded(init: Node, file: SourceFile, project: Project): boolean {
  const options: Place = project.definition(init, file);
  if (options.node.type !== "ObjectExpression") return !isNothing(options.node);
  const signal = memberOf(options, "signal", project);
  if (signal === "unknown" || (signal !== undefined && !isNothing(unwrap(signal.node)))) return true;
  // undici's own: an agent may well have its limits.
  return memberOf(options, "dispatcher", project) !== undefined;
}

function isNothing(node: Node): boolean {
  return node.type === "NullLiteral" || (node.type === "Identifier" && node.name === "undefined");
}

/** A Request that came from elsewhere brings its signal along. */
function isRequest(node: Node, file: SourceFile): boolean {
  if (isMember(node)) return /^(?:raw|req|request)$/.test(nameOf(node) ?? "");
  if (isCall(node)) return methodOf(node)?.method === "clone";
  if (node.type !== "Identifier") return false;
  const binding = file.binding(node);
  if (binding?.kind !== "parameter") return false;
  const type = typeName(binding.identifier);
  return type === undefined ? /^(?:req|request|\w+Request)$/.test(node.name) : /Request$/.test(type);
}

/** Files, data, the page's own server: nothing that lets one wait for ever, or no server's code at all. */
function isLocal(node: Node, file: SourceFile): boolean {
  if (node.type === "NewExpression" && calleeName(node, file) === "URL") {
    const base = node.arguments[1];
    return base !== undefined && /^import\.meta\.url$|__filename/.test(file.slice(base));
  }
  const text = node.type === "TemplateLiteral" ? node.quasis[0].value.raw : textOf(node);
  return text !== undefined && /^(?:file:|data:|blob:|\/(?!\/)|\.\.?\/)/.test(text);
}

/** `Promise.race([fetch(url), deadline])`. */
function isRaced(call: Node, file: SourceFile): boolean {
  for (const above of file.ancestors(call)) {
    if (isCall(above) && calleeName(above, file) === "Promise.race") return true;
    if (above.type !== "ArrayExpression" && !isCall(above) && !isMember(above) && above.type !== "AwaitExpression")
      return false;
  }
  return false;
}

import type { Program, Report, Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { bytesOf, requestLimits, serverOptions } from "../server-options.ts";
import type { SourceFile } from "../source.ts";
import {
  isCall,
  isFunction,
  isMember,
  type Loop,
  methodOf,
  type Node,
  nameOf,
  ownCode,
  unwrap,
  within,
} from "../tree.ts";

/** A body of this size in one piece, for each request at once, is no longer "bounded". */
const tooMuch = 512 * 2 ** 20;

export const bodyWithoutBound: Rule = {
  id: "body-without-bound",
  severity: "warning",
  harm: "what a client sends is kept in memory until it ends, and nothing says how much that may be: a few large bodies at once end the process.",
  cure: "count the bytes and stop: if ((size += chunk.byteLength) > limit) return new Response(null, { status: 413 }); or stream the body to where it goes",
  check(program, report) {
    wholeBodies(program, report);
    for (const file of program.project.files) {
      for (const loop of file.of("ForOfStatement", "WhileStatement", "DoWhileStatement", "ForStatement")) {
        if (isReading(loop, program, file)) gathering(loop, [loop.body], file, report);
      }
      for (const call of file.of("CallExpression")) {
        const source = calleeName(call, file) === "Array.fromAsync" ? call.arguments[0] : undefined;
        const isBody =
          source !== undefined && (program.handlers.fromClient(source, file) || /\.body$/.test(file.slice(source)));
        if (isBody && program.handlers.includes(call, file)) report(call, file);
        const callback = onData(call, program, file);
        if (callback !== undefined && isFunction(callback)) gathering(callback, [callback.body], file, report);
      }
    }
  },
};

/** `request.text()` where maxBodyBytes bounds nothing. With the default, 64 MiB, it is bounded. */
function wholeBodies({ project, handlers }: Program, report: Report): void {
  const settings = [...serverOptions(project).flatMap(({ options }) => options), ...requestLimits(project)];
  const open = settings.find(({ name, value }) => name === "maxBodyBytes" && (bytesOf(value) ?? 0) >= tooMuch);
  if (open === undefined) return;
  for (const file of project.files) {
    for (const call of file.of("CallExpression", "OptionalCallExpression")) {
      const method = methodOf(call);
      if (method === undefined || call.arguments.length > 0) continue;
      if (!/^(?:text|json|arrayBuffer|bytes|blob|formData|parseBody)$/.test(method.method)) continue;
      if (!isRequest(method.receiver, file) || !handlers.includes(call, file)) continue;
      const line = open.key.loc?.start.line;
      report(call, file, {
        harm: `${method.method}() keeps the whole body in memory, and maxBodyBytes (${open.file.name}:${line}) lets it be of any size: one client can end the process.`,
        cure: "set maxBodyBytes to what this handler expects, or read request.body chunk by chunk and count",
      });
    }
  }
}

function isRequest(node: Node, file: SourceFile): boolean {
  if (isMember(node)) return /^(?:req|request|raw)$/.test(nameOf(node) ?? "");
  return node.type === "Identifier" && file.binding(node)?.kind === "parameter";
}

/** A loop over a client's bytes: `for await (… of request.body)`, `while (… reader.read() …)`. */
function isReading(loop: Loop, { handlers }: Program, file: SourceFile): boolean {
  if (!handlers.includes(loop, file)) return false;
  if (loop.type === "ForOfStatement") {
    if (!loop.await || handlers.isRegion(loop)) return false;
    return handlers.fromClient(loop.right, file) || /\b(?:body|readable)\b/.test(file.slice(loop.right));
  }
  return [...ownCode(loop)].some((one) => {
    const call = methodOf(one);
    return (
      call?.method === "read" && (handlers.fromClient(call.receiver, file) || /reader/i.test(file.slice(call.receiver)))
    );
  });
}

/** The callback of `request.on("data", (chunk) => …)`. */
function onData(call: Node, { project, handlers }: Program, file: SourceFile): Node | undefined {
  const method = methodOf(call);
  if (!isCall(call) || method === undefined || !/^(?:on|addListener)$/.test(method.method)) return undefined;
  const [event, callback] = call.arguments;
  if (event?.type !== "StringLiteral" || event.value !== "data" || callback === undefined) return undefined;
  if (!handlers.includes(call, file) || !handlers.fromClient(method.receiver, file)) return undefined;
  return project.definition(callback, file).node;
}

/** Reports what grows in the bodies and is never compared, cut or emptied there. */
function gathering(scope: Node, bodies: readonly Node[], file: SourceFile, report: Report): void {
  for (const body of bodies) {
    for (const node of within(body)) {
      const grown = grows(node, file);
      if (grown === undefined) continue;
      const binding = file.binding(grown.target);
      // What is made anew in each round cannot gather.
      if (binding === undefined || isInside(binding.identifier, scope, file)) continue;
      if (isBounded(body, grown.name, node, file)) continue;
      report(node, file);
      return;
    }
  }
}

function grows(node: Node, file: SourceFile): { name: string; target: Node } | undefined {
  const method = methodOf(node);
  if (method?.method === "push" && method.receiver.type === "Identifier") {
    return { name: method.receiver.name, target: method.receiver };
  }
  if (node.type !== "AssignmentExpression" || node.left.type !== "Identifier") return undefined;
  const { name } = node.left;
  if (node.operator === "+=")
    return /^(?:size|length|total|count|bytes|received|n|i|sum|offset|\w*(?:Size|Length|Bytes|Count|Total|Read))$/.test(
      name,
    ) || isNumeric(node.right, file)
      ? undefined
      : { name, target: node.left };
  // text = text + chunk, body = Buffer.concat([body, chunk])
  const right = unwrap(node.right);
  const again =
    right.type === "BinaryExpression"
      ? [right.left]
      : isCall(right) && methodOf(right)?.method === "concat"
        ? [right]
        : [];
  if (right.type === "ArrayExpression") {
    const spread = right.elements.some((one) => one?.type === "SpreadElement" && file.slice(one.argument) === name);
    return spread ? { name, target: node.left } : undefined;
  }
  const mentions = again.some((one) => new RegExp(`\\b${name.replaceAll("$", "\\$")}\\b`).test(file.slice(one)));
  return node.operator === "=" && mentions ? { name, target: node.left } : undefined;
}

function isNumeric(node: Node, file: SourceFile): boolean {
  return node.type === "NumericLiteral" || /\.(?:length|byteLength|size)\b/.test(file.slice(node));
}

function isInside(node: Node, scope: Node, file: SourceFile): boolean {
  for (const above of file.ancestors(node)) if (above === scope) return true;
  return false;
}

/** A comparison of sizes that leaves the loop, or something that takes away from what was gathered. */
function isBounded(body: Node, name: string, growth: Node, file: SourceFile): boolean {
  for (const node of within(body)) {
    if (node.type === "IfStatement" && /[<>]/.test(file.slice(node.test)) && leaves(node)) return true;
    if (
      node.type === "AssignmentExpression" &&
      node !== growth &&
      node.operator === "=" &&
      /\b\w+/.exec(file.slice(node.left))?.[0] === name
    )
      return true;
    const method = methodOf(node);
    if (method !== undefined && /^(?:splice|shift|pop)$/.test(method.method) && file.slice(method.receiver) === name)
      return true;
    // Destructured anew: [line, rest] = …
    if (
      node.type === "AssignmentExpression" &&
      node.left.type.endsWith("Pattern") &&
      file.slice(node.left).includes(name)
    )
      return true;
  }
  return false;
}

function leaves(node: Node): boolean {
  for (const one of within(node)) {
    if (one.type === "BreakStatement" || one.type === "ReturnStatement" || one.type === "ThrowStatement") return true;
    if (/^(?:destroy|cancel|close|abort|pause|end)$/.test(methodOf(one)?.method ?? "")) return true;
  }
  return false;
}

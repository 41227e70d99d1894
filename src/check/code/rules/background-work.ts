import type { Program, Report, Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { floating } from "../promises.ts";
import type { SourceFile } from "../source.ts";
import { type Call, isCall, isFunction, methodOf, type Node, nameOf, unwrap, within } from "../tree.ts";

export const backgroundWork: Rule = {
  id: "background-work",
  severity: "warning",
  harm: "this goes on after the response is sent: nothing counts or bounds it, the client's leaving does not stop it, and a restart cuts it in the middle.",
  cure: 'start it as a task of the request, which is counted, given a signal, and waited for by a drain until drainTimeout: info.go("name", async (signal) => …)',
  check(program, report) {
    for (const file of program.project.files) {
      promisesLeft(program, file, report);
      timersLeft(program, file, report);
    }
  },
};

/** Promises whose failure is taken care of, but whose end nobody awaits. The others are floating-promise's. */
function promisesLeft({ project, handlers }: Program, file: SourceFile, report: Report): void {
  for (const statement of file.of("ExpressionStatement")) {
    if (!handlers.includes(statement, file) || isConnectionLoop(statement, file, handlers)) continue;
    const found = floating(statement, file, project);
    if (found === undefined || !found.caught || feedsStream(found.call, file)) continue;
    report(found.call, file);
  }
}

/** In a loop over connections a call that is not awaited is how each connection gets a task of its own. */
function isConnectionLoop(statement: Node, file: SourceFile, handlers: Program["handlers"]): boolean {
  for (const above of file.ancestors(statement)) {
    if (isFunction(above)) return false;
    if (handlers.isRegion(above)) return true;
  }
  return false;
}

/** What writes the response, or its stream, or tells somebody of its end, lives as long as the request; a tidying up is over at once. */
function feedsStream(call: Node, file: SourceFile): boolean {
  for (let at: Node | undefined = call; at !== undefined && isCall(at); ) {
    const method = methodOf(at);
    if (method === undefined) break;
    if (/^(?:cancel|close|abort|destroy|end|return|terminate|dispose)$/.test(method.method)) return true;
    at = method.receiver;
  }
  for (const one of within(call)) {
    if (one.type !== "Identifier") continue;
    if (
      /^(?:writer|writable|reader|controller|stream|sse|eventStream|res|response|reply|next|resolve|reject|callback|cb|done|ws|socket|conn|peer)$/i.test(
        one.name,
      )
    )
      return true;
    const { declaration } = file.binding(one) ?? {};
    if (
      declaration?.type === "VariableDeclarator" &&
      declaration.init &&
      /TransformStream|getWriter/.test(file.slice(declaration.init))
    )
      return true;
  }
  return false;
}

function timersLeft({ project, handlers }: Program, file: SourceFile, report: Report): void {
  for (const call of file.of("CallExpression")) {
    const name = calleeName(call, file);
    if (!/^(?:node:timers#)?set(?:Timeout|Interval|Immediate)$/.test(name ?? "") || !handlers.includes(call, file))
      continue;
    const interval = /Interval$/.test(name ?? "");
    if (isCleared(call, file)) continue;
    const first = call.arguments[0];
    const callback = first === undefined ? undefined : project.definition(first, file).node;
    if (!interval && (first === undefined || onlySettles(first, callback, file))) continue;
    const what = interval
      ? "this interval is never cleared: every request adds one that runs until the process ends."
      : undefined;
    const cure = interval
      ? "clearInterval() when the response ends (a stream's cancel(), request.signal's abort), or start one interval outside of the handler"
      : undefined;
    report(call, file, { harm: what, cure });
  }
}

/** The timer's id reaches clearTimeout or clearInterval somewhere in the file, or is given away for somebody to do so. */
function isCleared(call: Call, file: SourceFile): boolean {
  let above = file.parent(call);
  if (above && (above.type === "TSAsExpression" || above.type === "TSNonNullExpression")) above = file.parent(above);
  // setInterval(…).unref() is still a timer; what is returned, stored or passed on is somebody else's to clear.
  if (above?.type === "VariableDeclarator" && above.id.type === "Identifier") return isCleaned(above.id.name, file);
  if (above?.type === "AssignmentExpression") {
    const { left } = above;
    const target = left.type === "Identifier" ? left.name : left.type === "MemberExpression" ? nameOf(left) : undefined;
    return target === undefined || isCleaned(target, file);
  }
  return (
    above?.type === "ReturnStatement" ||
    above?.type === "ObjectProperty" ||
    (above !== undefined && isCall(above) && above.callee !== call)
  );
}

function isCleaned(name: string, file: SourceFile): boolean {
  return file.of("CallExpression", "OptionalCallExpression").some((one) => {
    const callee = unwrap(one.callee);
    const clears = callee.type === "Identifier" && /^clear(?:Timeout|Interval|Immediate)$/.test(callee.name);
    const argument = one.arguments[0];
    if (clears && argument) return new RegExp(`\\b${name.replaceAll("$", "\\$")}\\b`).test(file.slice(argument));
    // `using`, timer.close(), timer[Symbol.dispose]()
    const method = methodOf(one);
    return method?.method === "close" && method.receiver.type === "Identifier" && method.receiver.name === name;
  });
}

/** `setTimeout(resolve, 100)`, `setTimeout(() => controller.abort(), 5000)`: a wait or a deadline, no work. */
function onlySettles(first: Node, callback: Node | undefined, file: SourceFile): boolean {
  const settles =
    /^(?:resolve|reject|res|rej|done|ok|fail|r|f|abort|close|cancel|end|destroy|terminate|wake|clear|enqueue)\w*$/;
  if (first.type === "Identifier") {
    const binding = file.binding(first);
    if (binding?.kind === "parameter") return true;
    if (settles.test(first.name) && !isFunction(callback)) return true;
  }
  if (isCall(first) && methodOf(first)?.method === "bind") return true;
  if (!isFunction(callback)) return callback === undefined || !isCall(callback);
  const { body } = callback;
  const statements: readonly Node[] = body.type === "BlockStatement" ? body.body : [body];
  return statements.every((one) => {
    const expression = unwrap(one.type === "ExpressionStatement" ? one.expression : one);
    if (expression.type === "ReturnStatement") return true;
    if (!isCall(expression)) return expression.type === "ThrowStatement" || expression.type.endsWith("Literal");
    const callee = unwrap(expression.callee);
    const called = callee.type === "Identifier" ? callee.name : nameOf(callee);
    if (callee.type === "Identifier" && file.binding(callee)?.kind === "parameter") return true;
    return called !== undefined && settles.test(called);
  });
}

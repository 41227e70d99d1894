import type * as N from "@babel/types";
import type { Program, Rule } from "../finding.ts";
import { floating, promised } from "../promises.ts";
import type { SourceFile } from "../source.ts";
import { type FunctionNode, isCall, isFunction, methodOf, type Node, unwrap } from "../tree.ts";

export const floatingPromise: Rule = {
  id: "floating-promise",
  severity: "warning",
  harm: "nobody waits for this promise: when it rejects, the rejection is unhandled and ends the process, with every other client's request in it.",
  cure: "await it, add .catch(), or start it as a task: info.go(name, fn) in a handler, go(name, fn) elsewhere",
  check(program, report) {
    const { project } = program;
    for (const file of project.files) {
      // items.forEach((item) => save(item))
      const callsOnly = ({ body }: FunctionNode) => isCall(body) && promised(body, file, project)?.caught === false;
      for (const statement of file.of("ExpressionStatement")) {
        const found = floating(statement, file, project);
        if (found === undefined || found.caught || isMeant(statement, found.call, file, program)) continue;
        report(found.call, file);
      }
      for (const { id, init } of file.of("VariableDeclarator")) {
        // const saved = save(); and then never a word of it
        const call = init && unwrap(init);
        if (!call || !isCall(call) || id.type !== "Identifier" || file.binding(id)?.references.length !== 0) continue;
        if (file.parent(file.parent(id) ?? id)?.type === "ExportNamedDeclaration") continue;
        if (file.enclosing(call) !== undefined && promised(call, file, project)?.caught === false) report(call, file);
      }
      for (const statement of file.of("ExpressionStatement")) {
        const call = unwrap(statement.expression);
        const method = methodOf(call)?.method;
        if (!isCall(call) || (method !== "forEach" && method !== "map")) continue;
        const callback = project.definition(call.arguments[0] ?? call, file).node;
        if (!isFunction(callback) || !(callback.async ? !endsInTry(callback) : callsOnly(callback))) continue;
        report(call, file, {
          harm: `${method}() throws away the promises of its async callback: nobody waits for them, and one that rejects ends the process.`,
          cure: "for (const item of items) await …, or await Promise.all(items.map(async (item) => …))",
        });
      }
    }
  },
};

/**
 * `main();` as a module's last word: a failure at the start should end the process. `.then` without catch at the top of
 * a module is the same. Elsewhere `void save();` says that its author knows; in a handler a client would pay for it.
 */
function isMeant(statement: N.ExpressionStatement, call: Node, file: SourceFile, { handlers }: Program): boolean {
  if (handlers.includes(call, file)) return false;
  const { expression } = statement;
  const marked = expression.type === "UnaryExpression" && expression.operator === "void";
  return marked || file.enclosing(statement) === undefined;
}

function endsInTry(callback: Node): boolean {
  if (!isFunction(callback) || callback.body.type !== "BlockStatement") return false;
  return callback.body.body.every((one) => one.type === "TryStatement" && one.handler != null);
}

import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { awaited, isCall, methodOf, type Node } from "../tree.ts";

export const responseWithoutBound: Rule = {
  id: "response-without-bound",
  severity: "warning",
  harm: "the client chooses the server that this response comes from, and its whole body is kept in memory: it can be made to never end.",
  cure: "fetch only from hosts that you list; read response.body chunk by chunk, count the bytes and stop",
  check({ project, handlers }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression", "OptionalCallExpression")) {
        const method = methodOf(call);
        if (method === undefined || !/^(?:text|json|arrayBuffer|bytes|blob|formData)$/.test(method.method)) continue;
        const { node, file: home } = project.definition(method.receiver, file);
        const made = awaited(node);
        if (!isCall(made) || calleeName(made, home) !== "fetch") continue;
        const url = made.arguments[0];
        if (url !== undefined && handlers.includes(call, file) && choosesHost(url)) report(call, file);

        function choosesHost(node: Node): boolean {
          const { node: found, file: at } = project.definition(node, home);
          if (found.type === "TemplateLiteral") {
            return (
              /^(?:https?:\/\/)?$/.test(found.quasis[0].value.raw) &&
              found.expressions.length > 0 &&
              handlers.fromClient(found.expressions[0], at)
            );
          }
          if (found.type === "BinaryExpression") return choosesHost(found.left);
          if (found.type === "NewExpression") {
            const [first, base] = found.arguments;
            return calleeName(found, at) === "URL" && first !== undefined && base === undefined && choosesHost(first);
          }
          return found.type !== "StringLiteral" && handlers.fromClient(found, at);
        }
      }
    }
  },
};

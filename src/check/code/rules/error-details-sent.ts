import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { isFunction, isMember, methodOf, type Node, nameOf, within } from "../tree.ts";

export const errorDetailsSent: Rule = {
  id: "error-details-sent",
  severity: "warning",
  harm: "the stack tells every client the program's paths, packages and versions: a map for whoever looks for a way in.",
  cure: 'console.error(error), and answer with a fixed text: new Response("internal error", { status: 500 })',
  check({ project, handlers }, report) {
    for (const file of project.files) {
      for (const call of file.of("NewExpression", "CallExpression", "OptionalCallExpression")) {
        const name = calleeName(call, file);
        const method = methodOf(call);
        const answers =
          name === "Response" ||
          name === "Response.json" ||
          (method !== undefined &&
            /^(?:text|json|html|body|send|end|write)$/.test(method.method) &&
            /^(?:c|ctx|context|res|response|reply)$/.test(file.slice(method.receiver).split(/[.(]/)[0]));
        if (!answers || !handlers.includes(call, file)) continue;
        for (const argument of call.arguments as readonly Node[]) {
          const stack = [...within(argument, (one) => !isFunction(one))].find(
            (one) => isMember(one) && nameOf(one) === "stack",
          );
          if (stack !== undefined) report(stack, file);
        }
      }
    }
  },
};

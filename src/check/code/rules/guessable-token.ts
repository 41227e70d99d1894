import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { isFunction, type Node, nameOf } from "../tree.ts";

const secretName = /token|secret|session_?id|sid$|password|nonce|csrf|otp$|api_?key|salt|resetcode|verificationcode/i;

export const guessableToken: Rule = {
  id: "guessable-token",
  severity: "warning",
  harm: "Math.random() can be predicted from a few of its values: somebody who sees some of these tokens can make the others.",
  cure: "crypto.randomUUID(), or crypto.getRandomValues(new Uint8Array(32))",
  check({ project }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression")) {
        if (calleeName(call, file) === "Math.random" && secretName.test(whatFor(call))) report(call, file);
      }

      function whatFor(call: Node): string {
        for (const above of file.ancestors(call)) {
          if (above.type === "VariableDeclarator") return file.slice(above.id).split(":")[0];
          if (above.type === "ObjectProperty") return nameOf(above) ?? "";
          if (above.type === "AssignmentExpression") return file.slice(above.left);
          if (above.type === "FunctionDeclaration") return above.id?.name ?? "";
          if (isFunction(above) && above.type !== "ArrowFunctionExpression") return nameOf(above) ?? "";
        }
        return "";
      }
    }
  },
};

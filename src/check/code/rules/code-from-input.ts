import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import type { Node } from "../tree.ts";

const evaluators =
  /^(?:eval|Function|node:vm#(?:runInNewContext|runInThisContext|runInContext|Script|compileFunction))$/;
const shells = /^node:child_process#exec(?:Sync)?$/;

export const codeFromInput: Rule = {
  id: "code-from-input",
  severity: "error",
  harm: "a client can have any code run in this process: what it sends is evaluated.",
  cure: "parse what you expect (JSON.parse, a schema) and look functions up in a table of your own",
  check({ project, handlers }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression", "NewExpression", "OptionalCallExpression")) {
        const name = calleeName(call, file) ?? "";
        const isShell = shells.test(name);
        if (!isShell && !evaluators.test(name)) continue;
        const given = call.arguments as readonly Node[];
        const code = isShell ? given.slice(0, 1) : given;
        if (!handlers.includes(call, file) || !code.some((one) => handlers.fromClient(one, file))) continue;
        report(
          call,
          file,
          isShell
            ? {
                harm: "a client can have any command run on this machine: what it sends is part of a shell's line.",
                cure: "execFile(program, [argument, …]): no shell reads the arguments",
              }
            : {},
        );
      }
    }
  },
};

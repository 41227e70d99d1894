import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { isCall, isFunction, methodOf, textOf, within } from "../tree.ts";

export const uncaughtSwallowed: Rule = {
  id: "uncaught-swallowed",
  severity: "warning",
  harm: "after an exception that nobody caught the program goes on in an unknown state: locks held, connections half used, requests never answered.",
  cure: "log it and process.exit(1): a supervisor starts a clean process; Slipway answers 500 for what handlers throw, by itself",
  check({ project }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression")) {
        const method = methodOf(call);
        const [event, callback] = call.arguments;
        if (method === undefined || callback === undefined || !/^(?:on|once|addListener)$/.test(method.method))
          continue;
        if (
          file.slice(method.receiver) !== "process" ||
          !/^(?:uncaughtException|unhandledRejection)$/.test(textOf(event) ?? "")
        )
          continue;
        const { node, file: home } = project.definition(callback, file);
        if (!isFunction(node)) continue;
        const ends = [...within(node)].some((one) => {
          if (one.type === "ThrowStatement") return true;
          return (
            isCall(one) &&
            (/^(?:process\.(?:exit|abort|kill)|Deno\.exit)$/.test(calleeName(one, home) ?? "") ||
              /exit|shutdown|close|stop|die|terminate|fatal/i.test(home.slice(one.callee)))
          );
        });
        if (!ends) report(call, file);
      }
    }
  },
};

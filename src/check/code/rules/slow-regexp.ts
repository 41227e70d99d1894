import type { Rule } from "../finding.ts";
import { isFunction, methodOf, type Node } from "../tree.ts";

/**
 * A repeated group whose only content is itself repeated, `(a+)+`, `(\w*)*`, `([a-z]+\s?)+`: the ways to split a text grow
 * as 2ⁿ. Only what is plainly so: a quantified atom, at most one optional atom beside it, quantified again without bound.
 */
const atom = String.raw`(?:\\[wdsWDS.]|\[(?:\\.|[^\]\\])+\]|\.|[A-Za-z0-9])`;
const nested = new RegExp(String.raw`\((?:\?:|\?<\w+>)?${atom}[+*](?:${atom}[?*])?\)(?:[+*]|\{\d+,\})`);

export const slowRegexp: Rule = {
  id: "slow-regexp",
  severity: "warning",
  harm: "a text of some dozens of characters that almost fits keeps this expression busy for minutes, and with it the whole server.",
  cure: "take one of the two repetitions away: (a+)+ matches what a+ matches; and bound the text's length first",
  check({ project, handlers }, report) {
    for (const file of project.files) {
      for (const node of file.of("RegExpLiteral")) {
        const match = nested.exec(node.pattern);
        if (match === null) continue;
        // Where nothing has to follow, nothing has to be tried again.
        const rest = node.pattern.slice(match.index + match[0].length);
        if (rest === "" || !meetsClients(node, file)) continue;
        report(node, file);
      }

      function meetsClients(node: Node, at: typeof file): boolean {
        if (handlers.includes(node, at)) return true;
        // A constant of the module that a handler uses.
        const above = at.parent(node);
        const binding = above?.type === "VariableDeclarator" ? at.binding(above.id) : undefined;
        return (
          binding?.references.some((one) => handlers.includes(one, at)) === true ||
          at.exports.has(binding?.name ?? " ") ||
          (methodOf(above ?? node) !== undefined && isFunction(at.enclosing(node)))
        );
      }
    }
  },
};

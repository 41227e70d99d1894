import type { Program, Report, Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { isSignal } from "../promises.ts";
import type { SourceFile } from "../source.ts";
import { boundIn, isCall, isFunction, type Loop, type Node, nameOf, ownCode, unwrap, within } from "../tree.ts";
import { memberOf } from "../values.ts";

export const swallowedSignal: Rule = {
  id: "swallowed-signal",
  severity: "warning",
  harm: "the abort is thrown away: when the client has gone or time is up, this goes on as if nothing had happened.",
  cure: "catch (error) { if (signal.aborted) throw error; … }, or hand the signal on",
  check(program, report) {
    for (const file of program.project.files) {
      emptyCatches(program, file, report);
      unusedSignals(file, report);
      endlessLoops(program, file, report);
    }
  },
};

/** `try { await fetch(url, { signal }) } catch {}` */
function emptyCatches({ project }: Program, file: SourceFile, report: Report): void {
  for (const statement of file.of("TryStatement")) {
    const { handler } = statement;
    if (!handler || handler.body.body.length > 0) continue;
    const takesSignal = [...ownCode(statement.block)].some((one) => {
      if (!isCall(one)) return false;
      return one.arguments.some((argument) => {
        const bare = unwrap(argument);
        if (/(?:^|\.)signal$/.test(file.slice(bare))) return true;
        const options = project.definition(bare, file);
        const signal = options.node.type === "ObjectExpression" ? memberOf(options, "signal", project) : undefined;
        if (signal === undefined || signal === "unknown") return false;
        // A deadline of its own may well pass in silence: nobody has gone.
        const made = project.definition(signal.node, signal.file);
        return calleeName(made.node, made.file) !== "AbortSignal.timeout";
      });
    });
    // What follows the try in the same function is what goes on.
    if (takesSignal && goesOn(statement, file)) report(handler, file);
  }
}

function goesOn(statement: Node, file: SourceFile): boolean {
  for (let at = statement; ; ) {
    const above = file.parent(at);
    if (above === undefined || isFunction(above)) return false;
    if (/^(?:For|While|DoWhile)/.test(above.type)) return true;
    if ("body" in above && Array.isArray(above.body)) {
      const after = above.body.slice(above.body.indexOf(at as never) + 1);
      // return undefined says to the caller that there was nothing; the caller may know.
      if (after.length > 0) return after[0].type !== "ReturnStatement" || after[0].argument != null;
    }
    at = above;
  }
}

/** A parameter `signal` that the function never looks at, though it waits for things. */
function unusedSignals(file: SourceFile, report: Report): void {
  for (const node of file.of(
    "FunctionDeclaration",
    "FunctionExpression",
    "ArrowFunctionExpression",
    "ObjectMethod",
    "ClassMethod",
  )) {
    for (const parameter of node.params) {
      for (const name of boundIn(parameter)) {
        if (!isSignal(name) || name.name.startsWith("_") || file.binding(name)?.references.length !== 0) continue;
        const waits = [...within(node.body)].some(
          (one) => one.type === "AwaitExpression" || (one.type === "ForOfStatement" && one.await),
        );
        if (!waits || /\barguments\b/.test(file.slice(node.body))) continue;
        report(name, file, {
          harm: "this function is given a signal and never looks at it: it goes on waiting and working when its caller has given up.",
          cure: "hand it on: fetch(url, { signal }), or signal.throwIfAborted() between the steps",
        });
      }
    }
  }
}

/** `while (true) { await …; }` in a handler that nothing ends, or that polls on a timer. */
function endlessLoops({ handlers }: Program, file: SourceFile, report: Report): void {
  for (const loop of file.of("WhileStatement", "ForStatement", "DoWhileStatement")) {
    if (!isEndless(loop) || !handlers.includes(loop, file) || handlers.isRegion(loop)) continue;
    let waits = false;
    let ends = false;
    let leaves = false;
    let sleeps = false;
    for (const one of ownCode(loop.body)) {
      waits ||= one.type === "AwaitExpression";
      leaves ||= /^(?:Break|Return|Throw)Statement$/.test(one.type);
      sleeps ||=
        one.type === "AwaitExpression" &&
        /^await (?:\w+\.)*(?:sleep|delay|wait|setTimeout|timeout|pause)\(|setTimeout\(/.test(file.slice(one));
      ends ||= one.type === "YieldExpression";
      // What fails when the client has gone ends the loop by throwing.
      const name = isCall(one) ? (nameOf(unwrap(one.callee)) ?? calleeName(one, file) ?? "") : "";
      ends ||= /^(?:enqueue|throwIfAborted|read|write|accept)$/.test(name);
      ends ||= one.type === "Identifier" && one.name !== "AbortSignal" && /signal|abort|closed|cancel/i.test(one.name);
    }
    // One that waits for something to happen may end in time; one that looks again and again on a timer need not.
    if (!waits || ends || (leaves && !sleeps)) continue;
    report(loop, file, {
      harm: "this loop never looks at request.signal: when the client has gone it goes on, and every such client adds one more.",
      cure: "while (!request.signal.aborted) { … }, and hand the signal to what it waits for",
    });
  }
}

function isEndless(loop: Loop): boolean {
  if (loop.type === "ForStatement") return loop.test == null || isTrue(loop.test);
  return (loop.type === "WhileStatement" || loop.type === "DoWhileStatement") && isTrue(loop.test);
}

function isTrue(node: Node): boolean {
  return (node.type === "BooleanLiteral" && node.value) || (node.type === "NumericLiteral" && node.value !== 0);
}

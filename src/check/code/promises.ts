/** Which expressions are promises, whether anybody waits for them, and whether their failure is caught. */
import type * as N from "@babel/types";
import { calleeName } from "./names.ts";
import type { Project } from "./project.ts";
import type { SourceFile } from "./source.ts";
import {
  type Call,
  type FunctionNode,
  isCall,
  isFunction,
  methodOf,
  type Node,
  ownCode,
  typeName,
  unwrap,
} from "./tree.ts";

/** Well-known functions that return a promise. */
const asynchronous =
  /^(?:fetch|Deno\.(?:readTextFile|readFile|writeTextFile|writeFile|readDir|remove|rename|mkdir|makeTempDir|makeTempFile|copyFile|chmod|chown|open|create|truncate|stat|lstat|link|symlink|readLink|realPath|utime|connect|connectTls|resolveDns|startTls)|Bun\.(?:write|sleep)|crypto\.subtle\.\w+|caches\.\w+|node:(?:fs|dns|timers|readline)\/promises#\w+|node:stream\/promises#\w+|node:events#once|Promise\.(?:all|allSettled|any|race|reject)|slipway(?:\/net)?#(?:connect|connectTls|startTls))$/;

/** Methods that return a promise whatever they are called on. */
const asyncMethods = /^(?:then|catch|finally)$/;

export interface Floating {
  readonly call: Call;
  /** True when no rejection of it can become an unhandled one. */
  readonly caught: boolean;
}

/** A statement `call();` whose value is a promise that nobody looks at. */
export function floating(statement: N.ExpressionStatement, file: SourceFile, project: Project): Floating | undefined {
  let expression = unwrap(statement.expression);
  if (expression.type === "UnaryExpression" && expression.operator === "void") expression = unwrap(expression.argument);
  // `ready && send()`, `ready ? send() : 0`
  if (expression.type === "LogicalExpression") expression = unwrap(expression.right);
  return isCall(expression) ? promised(expression, file, project) : undefined;
}

/** What is known of a call's promise; undefined when it is none, or nobody knows. */
export function promised(call: Call, file: SourceFile, project: Project): Floating | undefined {
  const method = methodOf(call);
  if (method !== undefined && asyncMethods.test(method.method)) {
    const [first, second] = call.arguments;
    // `schema.catch(0)` and other builders: a promise's take functions.
    if (first === undefined || /Literal$|^(?:Object|Array)Expression$/.test(first.type)) return undefined;
    const below = isCall(method.receiver) ? promised(method.receiver, file, project) : undefined;
    const chained = isCall(method.receiver) && asyncMethods.test(methodOf(method.receiver)?.method ?? "");
    const handler = method.method === "catch" ? first : second;
    if (method.method === "catch" || (method.method === "then" && second !== undefined)) {
      return { call, caught: handler === undefined || !throws(handler, file, project) };
    }
    if (method.method === "then" && below === undefined && !chained && !isFunctionLike(first, file, project))
      return undefined;
    // .catch(log).then(next): what comes after a catch is taken to be as harmless as it looks.
    return { call, caught: below?.caught ?? false };
  }
  const { node, file: home } = project.definition(call.callee, file);
  if (isFunction(node)) {
    if (node.generator || !(node.async || returnsPromise(node))) return undefined;
    return { call, caught: node.async && neverRejects(node, home, project) };
  }
  const name = calleeName(call, file);
  if (name === undefined || !asynchronous.test(name)) return undefined;
  return { call, caught: name === "Promise.allSettled" };
}

function isFunctionLike(node: Node, file: SourceFile, project: Project): boolean {
  return isFunction(project.definition(node, file).node);
}

function returnsPromise(node: FunctionNode): boolean {
  const type = "returnType" in node ? node.returnType : undefined;
  if (type?.type !== "TSTypeAnnotation") return false;
  const { typeAnnotation } = type;
  return (
    typeAnnotation.type === "TSTypeReference" &&
    typeAnnotation.typeName.type === "Identifier" &&
    typeAnnotation.typeName.name === "Promise"
  );
}

/** True when the function's whole work is in try blocks whose handlers do not throw. */
function neverRejects(node: FunctionNode, file: SourceFile, project: Project): boolean {
  if (node.body.type !== "BlockStatement") {
    const body = unwrap(node.body);
    const call = body.type === "AwaitExpression" ? unwrap(body.argument) : body;
    return isCall(call) && (methodOf(call)?.method === "catch" && promised(call, file, project)?.caught) === true;
  }
  return node.body.body.every((statement) => {
    if (statement.type === "TryStatement") {
      return (
        statement.handler != null && ![...ownCode(statement.handler.body)].some((one) => one.type === "ThrowStatement")
      );
    }
    for (const one of ownCode(statement)) {
      if (one.type === "AwaitExpression") {
        const call = unwrap(one.argument);
        if (!isCall(call) || promised(call, file, project)?.caught !== true) return false;
      }
      if (one.type === "ThrowStatement" || one.type === "ForOfStatement") return false;
    }
    return true;
  });
}

function throws(handler: Node, file: SourceFile, project: Project): boolean {
  const { node } = project.definition(handler, file);
  if (!isFunction(node)) return false;
  return [...ownCode(node.body)].some((one) => one.type === "ThrowStatement");
}

/** A signal's type, by annotation or by what everybody calls it. */
export function isSignal(parameter: N.Identifier): boolean {
  const type = typeName(parameter);
  return type === undefined ? parameter.name === "signal" : type === "AbortSignal";
}

/**
 * Which code runs for a client: the functions that a server, a router or a framework calls with each request or
 * connection, and everything that they call in the user's own sources.
 */
import type * as N from "@babel/types";
import { calleeName } from "./names.ts";
import type { Place, Project } from "./project.ts";
import type { SourceFile } from "./source.ts";
import {
  boundIn,
  type FunctionNode,
  isCall,
  isFunction,
  isMember,
  methodOf,
  type Node,
  nameOf,
  ownCode,
  textOf,
  typeName,
  unwrap,
  within,
} from "./tree.ts";

/** Members of a server's or a socket's options that are called for clients. */
const callbacks =
  /^(?:fetch|handler|connect|limits|ready|onError|error|notFound|open|message|close|drain|upgrade|request|response|websocket|routes|middleware|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|onRequest|onResponse|default|\/.*)$/;

/** Functions that start a server: what is given to them is called for clients. */
const servers =
  /^(?:Deno\.serve|Bun\.serve|Bun\.listen|addEventListener|node:https?#createServer|node:http2#create(?:Secure)?Server|node:(?:net|tls)#createServer|(?:node:)?[^#]*#(?:serve|serveConn|serveHttp|createServer|toNodeHandler|createApp|createServerAdapter))$/;

/** Functions of frameworks that make a handler of a function: h3, Hono, Nitro, Express wrappers, Oak. */
const makers =
  /^(?:define\w*Handler|defineMiddleware|(?:lazy|dynamic)?[eE]ventHandler|createMiddleware|createHandlers|\w*[hH]andler|onRequest|onResponse|onError|upgradeWebSocket|stream|streamText|streamSSE|withAuth|asyncWrap|wrapAsync|catchAsync)$/;

/** Methods of routers. `get` is a method of maps too: a path or two functions must show that it is a router's. */
const routing =
  /^(?:get|post|put|patch|delete|del|head|options|all|use|on|route|add|mount|any|ws|sse|onError|notFound|handle|handler|openapi|basePath|group|decorate|derive|register)$/;

/** Types that only a request's or a connection's function takes. */
const requestTypes =
  /^(?:Request|ServeHandlerInfo|H3Event|IncomingMessage|ServerResponse|FastifyRequest|NextRequest|NextApiRequest|Context|HonoRequest|Conn|Connection|Socket|Deno\.(?:Conn|TcpConn|TlsConn|UnixConn|RequestEvent|ServeHandlerInfo)|http\.IncomingMessage)$/;

/** Types of whole handlers. */
const handlerTypes =
  /^(?:Deno\.ServeHandler|ServeHandler|Handler|RequestHandler|EventHandler|Middleware\w*|ExportedHandler|RouteHandler|RequestListener|http\.RequestListener|Server)$/;

const httpMethods = /^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)$/;

/** Parameters of handlers that hold nothing from the client. */
const notFromClient =
  /^_?(?:next|info|env|ctx|signal|controller|server|app|done|res|response|reply|stream|err|error|e)$/;

export class Handlers {
  readonly #project: Project;
  /** Functions, and loops over connections: their bodies run for each client. */
  readonly #regions = new Map<Node, SourceFile>();
  readonly #tainted = new Set<unknown>();
  readonly roots: readonly Place[];

  constructor(project: Project) {
    this.#project = project;
    for (const file of project.files) this.#findRoots(file);
    this.roots = [...this.#regions].map(([node, file]) => ({ node, file }));
    for (const { node, file } of this.roots) this.#taintParameters(node, file);
    this.#reach();
    this.#spread();
  }

  /** True for code that runs while a client waits. */
  includes(node: Node, file: SourceFile): boolean {
    if (this.#regions.has(node)) return true;
    for (const above of file.ancestors(node)) if (this.#regions.has(above)) return true;
    return false;
  }

  /** True when the function is called for clients, by itself or as part of one that is. */
  isRegion(node: Node): boolean {
    return this.#regions.has(node);
  }

  /** True when the value comes from what a client sent. */
  fromClient(node: Node, file: SourceFile): boolean {
    for (const one of within(node, (inner) => !isFunction(inner))) {
      if (one.type === "Identifier" && this.#tainted.has(file.binding(one) ?? one)) return true;
    }
    return false;
  }

  #add(node: Node, file: SourceFile): void {
    const place = this.#project.definition(node, file);
    this.#addPlace(place.node, place.file, 0);
  }

  #addPlace(node: Node, file: SourceFile, depth: number): void {
    if (depth > 4) return;
    if (isFunction(node)) {
      this.#regions.set(node, file);
    } else if (node.type === "ObjectExpression") {
      this.#addMembers(node, file, depth);
    } else if (node.type === "ArrayExpression") {
      for (const one of node.elements) if (one) this.#resolved(one, file, depth + 1);
    } else if (isCall(node)) {
      // A wrapper around the function: validate(schema, async (c) => …), factory.createHandlers(…).
      for (const one of node.arguments) {
        const place = this.#project.definition(one, file);
        if (isFunction(place.node)) this.#addPlace(place.node, place.file, depth + 1);
      }
      // A function of the sources that makes the handler: app.use(limiter()).
      const maker = this.#project.definition(node.callee, file);
      if (isFunction(maker.node)) {
        for (const one of returned(maker.node)) this.#resolved(one, maker.file, depth + 1);
      }
    }
  }

  #resolved(node: Node, file: SourceFile, depth: number): void {
    const place = this.#project.definition(node, file);
    this.#addPlace(place.node, place.file, depth);
  }

  #addMembers(object: N.ObjectExpression, file: SourceFile, depth = 0): void {
    for (const member of object.properties) {
      if (member.type === "SpreadElement" || !callbacks.test(nameOf(member) ?? "")) continue;
      if (member.type === "ObjectMethod") this.#regions.set(member, file);
      else this.#resolved(member.value, file, depth + 1);
    }
  }

  #findRoots(file: SourceFile): void {
    const exported = file.exports.get("default");
    if (exported !== undefined && "node" in exported) {
      const { node, file: home } = this.#project.definition(exported.node, file);
      if (node.type === "ObjectExpression") this.#addMembers(node, home);
      else if (isFunction(node) && this.#project.entries.includes(file)) this.#regions.set(node, home);
      else if (node.type === "NewExpression") this.#addInstance(node, home);
    }
    for (const [name, one] of file.exports) {
      if (httpMethods.test(name) && "node" in one) this.#add(one.node, file);
    }
    for (const call of file.of("CallExpression", "OptionalCallExpression", "NewExpression")) this.#ofCall(call, file);
    for (const node of file.of(
      "FunctionDeclaration",
      "FunctionExpression",
      "ArrowFunctionExpression",
      "ObjectMethod",
    )) {
      if (node.params.slice(0, 2).some((one) => requestTypes.test(typeName(one) ?? ""))) this.#regions.set(node, file);
    }
    for (const { id, init } of file.of("VariableDeclarator")) {
      if (init && handlerTypes.test(typeName(id) ?? "")) this.#add(init, file);
    }
    for (const node of file.of("TSSatisfiesExpression", "TSAsExpression")) {
      const { typeAnnotation: type } = node;
      if (type.type !== "TSTypeReference") continue;
      const name = type.typeName.type === "Identifier" ? type.typeName.name : file.slice(type.typeName);
      if (handlerTypes.test(name)) this.#add(node.expression, file);
    }
    for (const loop of file.of("ForOfStatement")) {
      if (loop.await && this.#isListener(loop.right, file)) this.#regions.set(loop, file);
    }
    for (const loop of file.of("WhileStatement", "ForStatement")) {
      for (const one of ownCode(loop)) {
        const call = methodOf(one);
        if (call?.method === "accept" && this.#isListener(call.receiver, file)) this.#regions.set(loop, file);
      }
    }
  }

  /** `export default new Server()` of a class of the user's own with `fetch`. */
  #addInstance(node: N.NewExpression, file: SourceFile): void {
    const made = this.#project.definition(node.callee, file);
    if (made.node.type !== "ClassDeclaration" && made.node.type !== "ClassExpression") return;
    for (const one of made.node.body.body) {
      if (one.type === "ClassMethod" && callbacks.test(nameOf(one) ?? "")) this.#regions.set(one, made.file);
    }
  }

  #isListener(node: Node, file: SourceFile): boolean {
    const { node: made, file: home } = this.#project.definition(node, file);
    const call = made.type === "AwaitExpression" ? made.argument : made;
    return /^(?:Deno\.listen(?:Tls)?|slipway(?:\/net)?#listen\w*|Deno\.serveHttp)$/.test(calleeName(call, home) ?? "");
  }

  #ofCall(call: N.CallExpression | N.OptionalCallExpression | N.NewExpression, file: SourceFile): void {
    const name = calleeName(call, file) ?? "";
    const args = call.arguments as readonly Node[];
    const short = name.slice(name.lastIndexOf("#") + 1);
    if (servers.test(name)) {
      if (name === "addEventListener" && !/^(?:fetch|request)$/.test(textOf(args[0]) ?? "")) return;
      for (const one of args) this.#add(one, file);
      return;
    }
    if (name.includes("#") && makers.test(short)) {
      for (const one of args) this.#add(one, file);
      return;
    }
    const method = methodOf(call);
    if (method === undefined) return;
    if (/^(?:createHandlers|createMiddleware)$/.test(method.method)) for (const one of args) this.#add(one, file);
    const functions = args.filter((one) => this.#isFunctionLike(one, file));
    if (!routing.test(method.method) || functions.length === 0) return;
    const texts = args.filter((one) => /^[/*]/.test(textOf(one) ?? this.#startOf(one)));
    const event =
      method.method === "on" &&
      /^(?:request|connection|upgrade|stream|fetch|secureConnection)$/.test(textOf(args[0]) ?? "");
    const bare = /^(?:use|onError|notFound)$/.test(method.method) && functions.length === args.length;
    const array = args[0]?.type === "ArrayExpression" && functions.length > 0;
    if (texts.length > 0 || event || bare || array) for (const one of functions) this.#add(one, file);
  }

  #startOf(node: Node): string {
    return node.type === "TemplateLiteral" ? (node.quasis[0]?.value.raw ?? "") : "";
  }

  #isFunctionLike(node: Node, file: SourceFile): boolean {
    const { node: found } = this.#project.definition(node, file);
    return isFunction(found) || isCall(found) || found.type === "ArrayExpression";
  }

  #taintParameters(node: Node, file: SourceFile): void {
    if (isFunction(node)) {
      for (const one of node.params) {
        for (const name of boundIn(one)) if (!notFromClient.test(name.name)) this.#tainted.add(file.binding(name));
      }
    } else if (node.type === "ForOfStatement" && node.left.type === "VariableDeclaration") {
      for (const name of boundIn(node.left.declarations[0].id)) this.#tainted.add(file.binding(name));
    }
  }

  /** Functions of the sources that a handler calls, or hands to somebody else to call. */
  #reach(): void {
    const waiting = [...this.#regions];
    for (const [region, file] of waiting) {
      for (const node of within(region)) {
        if (node.type !== "Identifier" && !isMember(node)) continue;
        if (node.type === "Identifier" && file.binding(node) === undefined) continue;
        const place = this.#project.definition(node, file);
        if (place.node === node || !isFunction(place.node)) continue;
        if (this.includes(place.node, place.file)) continue;
        this.#regions.set(place.node, place.file);
        waiting.push([place.node, place.file]);
      }
    }
  }

  /** Values that come from tainted ones, through variables, loops and arguments, until nothing new is found. */
  #spread(): void {
    for (let round = 0, before = -1; before !== this.#tainted.size && round < 10; round++) {
      before = this.#tainted.size;
      for (const file of this.#project.files) this.#spreadIn(file);
    }
  }

  #spreadIn(file: SourceFile): void {
    const taint = (pattern: Node) => {
      for (const name of boundIn(pattern)) {
        const binding = file.binding(name);
        if (binding !== undefined) this.#tainted.add(binding);
      }
    };
    for (const { id, init } of file.of("VariableDeclarator")) {
      if (init && !isFunction(unwrap(init)) && this.fromClient(init, file)) taint(id);
    }
    for (const { left, right } of file.of("AssignmentExpression")) {
      if (left.type === "Identifier" && this.fromClient(right, file)) taint(left);
    }
    for (const { left, right } of file.of("ForOfStatement")) {
      if (left.type === "VariableDeclaration" && this.fromClient(right, file)) taint(left.declarations[0].id);
    }
    for (const call of file.of("CallExpression", "OptionalCallExpression")) {
      const { node: called, file: home } = this.#project.definition(call.callee, file);
      if (!isFunction(called) || !this.#regions.has(called)) continue;
      for (const [index, argument] of call.arguments.entries()) {
        const parameter = called.params[index];
        if (parameter === undefined || !this.fromClient(argument, file)) continue;
        for (const name of boundIn(parameter)) {
          const binding = home.binding(name);
          if (binding !== undefined) this.#tainted.add(binding);
        }
      }
    }
  }
}

/** What a function gives back. */
function returned(node: FunctionNode): Node[] {
  if (node.body.type !== "BlockStatement") return [node.body];
  return [...ownCode(node.body)].flatMap((one) =>
    one.type === "ReturnStatement" && one.argument ? [one.argument] : [],
  );
}

/** One of the user's files: its text, its tree, what its names mean, and what it imports and exports. */
import type { ParseResult, ParserOptions } from "@babel/parser";
import type * as N from "@babel/types";
import { type Binding, bind } from "./scope.ts";
import { children, isCall, isFunction, type Node, type NodeOf, type NodeType, textOf } from "./tree.ts";

type Parse = (text: string, options: ParserOptions) => ParseResult<N.File>;

/** Where an exported name comes from: something in this file, or another file's export. */
export type Export = { readonly node: Node } | { readonly from: string; readonly name: string };

export class SourceFile {
  /** Absolute. */
  readonly path: string;
  /** As people are shown it, relative to where they are. */
  readonly name: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly comments: readonly N.Comment[];
  readonly program: N.Program;
  /** Specifiers of modules that it loads, types left out. */
  readonly imports: readonly { specifier: string; node: Node }[];
  readonly exports = new Map<string, Export>();
  /** Specifiers of `export * from`. */
  readonly starExports: string[] = [];
  readonly #byType = new Map<string, Node[]>();
  readonly #parents = new Map<Node, Node>();
  readonly #bindings: ReadonlyMap<Node, Binding>;

  constructor(path: string, name: string, text: string, parse: Parse) {
    this.path = path;
    this.name = name;
    this.text = text;
    this.lines = text.split(/\r\n|\n|\r|\u2028|\u2029/);
    const file = parseFile(path, text, parse);
    this.program = file.program;
    this.comments = file.comments ?? [];
    this.#index(file.program);
    this.#bindings = bind(file.program, (node) => this.#parents.get(node));
    this.imports = [...this.#imported()];
    for (const statement of this.program.body) this.#export(statement);
  }

  #index(node: Node): void {
    const same = this.#byType.get(node.type);
    if (same === undefined) this.#byType.set(node.type, [node]);
    else same.push(node);
    for (const child of children(node)) {
      this.#parents.set(child, node);
      this.#index(child);
    }
  }

  /** Every node of a kind, in source order. */
  of<T extends NodeType>(...types: T[]): NodeOf<T>[] {
    return types.flatMap((type) => (this.#byType.get(type) ?? []) as NodeOf<T>[]);
  }

  parent(node: Node): Node | undefined {
    return this.#parents.get(node);
  }

  /** What stands around a node, nearest first. */
  *ancestors(node: Node): Generator<Node> {
    for (let one = this.#parents.get(node); one !== undefined; one = this.#parents.get(one)) yield one;
  }

  /** The innermost function around a node. */
  enclosing(node: Node): Node | undefined {
    for (const one of this.ancestors(node)) if (isFunction(one)) return one;
    return undefined;
  }

  /** What a name means; undefined for globals. */
  binding(node: Node): Binding | undefined {
    return this.#bindings.get(node);
  }

  bindings(): Set<Binding> {
    return new Set(this.#bindings.values());
  }

  slice(node: Node): string {
    return this.text.slice(node.start ?? 0, node.end ?? 0);
  }

  *#imported(): Generator<{ specifier: string; node: Node }> {
    for (const node of this.of("ImportDeclaration")) {
      const typesOnly =
        node.importKind === "type" ||
        (node.specifiers.length > 0 &&
          node.specifiers.every((one) => one.type === "ImportSpecifier" && one.importKind === "type"));
      if (!typesOnly) yield { specifier: node.source.value, node: node.source };
    }
    for (const node of this.of("ExportNamedDeclaration", "ExportAllDeclaration")) {
      if (node.source && node.exportKind !== "type") yield { specifier: node.source.value, node: node.source };
    }
    for (const node of this.of("ImportExpression")) {
      const specifier = textOf(node.source);
      if (specifier !== undefined) yield { specifier, node: node.source };
    }
    for (const node of this.of("CallExpression", "NewExpression")) {
      const callee = node.callee;
      if (callee.type !== "Identifier" || this.binding(callee) !== undefined) continue;
      const [first] = node.arguments;
      const specifier = textOf(first);
      if (specifier === undefined) continue;
      if (isCall(node) ? callee.name === "require" : callee.name === "URL" && this.#isWorker(node)) {
        yield { specifier, node: first };
      }
    }
  }

  /** `new Worker(new URL("./worker.ts", import.meta.url))` runs that file as much as an import does. */
  #isWorker(url: Node): boolean {
    const above = this.parent(url);
    return above?.type === "NewExpression" && above.callee.type === "Identifier" && /Worker$/.test(above.callee.name);
  }

  #export(statement: Node): void {
    if (statement.type === "ExportDefaultDeclaration") {
      this.exports.set("default", { node: statement.declaration });
    } else if (statement.type === "ExportAllDeclaration") {
      this.starExports.push(statement.source.value);
    } else if (statement.type === "ExportNamedDeclaration") {
      const { declaration, source } = statement;
      if (declaration?.type === "VariableDeclaration") {
        for (const { id } of declaration.declarations) {
          if (id.type === "Identifier") this.exports.set(id.name, { node: id });
        }
      } else if (declaration && "id" in declaration && declaration.id?.type === "Identifier") {
        this.exports.set(declaration.id.name, { node: declaration.id });
      }
      for (const one of statement.specifiers) {
        if (one.type === "ExportSpecifier") {
          const exported = one.exported.type === "Identifier" ? one.exported.name : one.exported.value;
          const local: Node = one.local;
          const name = local.type === "Identifier" ? local.name : "";
          this.exports.set(exported, source ? { from: source.value, name } : { node: local });
        } else if (source && one.exported.type === "Identifier") {
          this.exports.set(one.exported.name, { from: source.value, name: "*" });
        }
      }
    }
  }
}

/** What is not TypeScript's: decorators of both kinds, since both are around. */
function parseFile(path: string, text: string, parse: Parse): ParseResult<N.File> {
  const typescript = /\.[cm]?tsx?$/.test(path);
  const plugins: NonNullable<ParserOptions["plugins"]> = ["decoratorAutoAccessors", "deferredImportEvaluation"];
  if (typescript) plugins.push("typescript");
  if (!/\.[cm]?ts$/.test(path)) plugins.push("jsx");
  const options: ParserOptions = {
    sourceType: "unambiguous",
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: true,
    allowUndeclaredExports: true,
    attachComment: false,
  };
  try {
    return parse(text, { ...options, plugins: [...plugins, "decorators-legacy"] });
  } catch (error) {
    try {
      return parse(text, { ...options, plugins: [...plugins, "decorators"] });
    } catch {
      throw error;
    }
  }
}

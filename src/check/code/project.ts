/** The user's own sources: the entries and everything that they import, packages left out; and what names mean across them. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { loadParser } from "../../bundle/parser.ts";
import { resolveImport } from "./resolve.ts";
import { isReassigned } from "./scope.ts";
import { SourceFile } from "./source.ts";
import type { Node } from "./tree.ts";
import { isMember, nameOf, textOf, unwrap } from "./tree.ts";

/** A node, and the file it stands in. */
export interface Place {
  readonly node: Node;
  readonly file: SourceFile;
}

/** A file that the parser does not understand. */
export class SyntaxFailure extends Error {
  override readonly name = "SyntaxFailure";
  readonly path: string;
  readonly line: number;
  readonly column: number;

  constructor(path: string, error: Error & { loc?: { line: number; column: number } }) {
    super(error.message.replace(/ \(\d+:\d+\)$/, ""));
    this.path = path;
    this.line = error.loc?.line ?? 1;
    this.column = (error.loc?.column ?? 0) + 1;
  }
}

/** Far above any program's own depth; names that lead in circles end here. */
const deepest = 20;

export class Project {
  readonly files: SourceFile[] = [];
  readonly entries: SourceFile[] = [];
  /** Imports of the project's own files that are not there: `./x.ts`, imported by `server.ts`. */
  readonly missing: { specifier: string; file: SourceFile; node: Node }[] = [];
  readonly #links = new Map<SourceFile, Map<string, SourceFile>>();

  /** Reads the files, each once. */
  static async read(entries: readonly string[]): Promise<Project> {
    const parse = await loadParser();
    const project = new Project();
    const known = new Map<string, SourceFile>();
    const waiting: string[] = [];
    const file = (path: string): SourceFile => {
      const found = known.get(path);
      if (found !== undefined) return found;
      let made: SourceFile;
      try {
        made = new SourceFile(path, relative(process.cwd(), path) || path, readFileSync(path, "utf8"), parse);
      } catch (error) {
        if (error instanceof SyntaxError) throw new SyntaxFailure(path, error);
        if (isOverflow(error)) throw new SyntaxFailure(path, new Error("nested too deeply to be checked"));
        throw error;
      }
      known.set(path, made);
      waiting.push(path);
      project.files.push(made);
      return made;
    };
    for (const entry of entries) project.entries.push(file(entry));
    for (const path of waiting) {
      const importer = file(path);
      const links = new Map<string, SourceFile>();
      project.#links.set(importer, links);
      for (const { specifier, node } of importer.imports) {
        const target = resolveImport(specifier, path);
        if (target === null) project.missing.push({ specifier, file: importer, node });
        else if (target !== undefined) links.set(specifier, file(target));
      }
    }
    return project;
  }

  /** The file of ours that a specifier means. */
  imported(file: SourceFile, specifier: string): SourceFile | undefined {
    return this.#links.get(file)?.get(specifier);
  }

  /** What a module exports by a name. */
  exported(file: SourceFile, name: string, depth = 0): Place | undefined {
    if (depth > deepest) return undefined;
    const found = file.exports.get(name);
    if (found !== undefined && "node" in found) return { node: found.node, file };
    if (found !== undefined) {
      const source = this.imported(file, found.from);
      if (source === undefined) return undefined;
      return found.name === "*" ? { node: source.program, file: source } : this.exported(source, found.name, depth + 1);
    }
    for (const specifier of file.starExports) {
      const source = this.imported(file, specifier);
      const place = source && this.exported(source, name, depth + 1);
      if (place !== undefined) return place;
    }
    return undefined;
  }

  /**
   * What an expression surely is: the function, class, object, literal or call that its names lead to, through
   * constants, imports and members of object literals. An expression that is none of these is itself.
   */
  definition(node: Node, file: SourceFile, depth = 0): Place {
    const bare = unwrap(node);
    const here = { node: bare, file };
    if (depth > deepest) return here;
    if (bare.type === "Identifier") {
      const binding = file.binding(bare);
      if (binding === undefined) return here;
      const { declaration, kind } = binding;
      if (kind === "import") {
        const place = this.#import(declaration, file);
        return place === undefined ? here : this.definition(place.node, place.file, depth + 1);
      }
      if (kind === "function" || kind === "class") return { node: declaration, file };
      if (declaration.type !== "VariableDeclarator" || declaration.init == null) return here;
      if (declaration.id.type !== "Identifier") return here;
      if (kind !== "const" && isReassigned(binding, (one) => file.parent(one))) return here;
      return this.definition(declaration.init, file, depth + 1);
    }
    if (isMember(bare)) {
      const name = nameOf(bare);
      const member = name === undefined ? undefined : this.#member(bare.object, name, file, depth + 1);
      return member === undefined ? here : this.definition(member.node, member.file, depth + 1);
    }
    return here;
  }

  #import(specifier: Node, file: SourceFile): Place | undefined {
    const declaration = file.parent(specifier);
    if (declaration?.type !== "ImportDeclaration") return undefined;
    const source = this.imported(file, declaration.source.value);
    if (source === undefined) return undefined;
    if (specifier.type === "ImportDefaultSpecifier") return this.exported(source, "default");
    if (specifier.type === "ImportNamespaceSpecifier") return { node: source.program, file: source };
    if (specifier.type !== "ImportSpecifier") return undefined;
    return this.exported(source, textOf(specifier.imported) ?? (specifier.imported as { name: string }).name);
  }

  #member(object: Node, name: string, file: SourceFile, depth: number): Place | undefined {
    if (unwrap(object).type === "ThisExpression") {
      for (const above of file.ancestors(object)) {
        if (above.type === "ClassDeclaration" || above.type === "ClassExpression") return memberOf(above, name, file);
      }
      return undefined;
    }
    const owner = this.definition(object, file, depth);
    if (owner.node.type === "Program") return this.exported(owner.file, name, depth);
    if (owner.node.type === "NewExpression") {
      const made = this.definition(owner.node.callee, owner.file, depth);
      return memberOf(made.node, name, made.file);
    }
    return memberOf(owner.node, name, owner.file);
  }
}

/** Thousands of brackets in each other, or of operators in a row: generated code. */
export function isOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}

/** A member of an object literal or a class: the function or value itself. */
function memberOf(owner: Node, name: string, file: SourceFile): Place | undefined {
  if (owner.type === "ObjectExpression") {
    const found = owner.properties.findLast((one) => one.type !== "SpreadElement" && nameOf(one) === name);
    if (found === undefined) return undefined;
    return { node: found.type === "ObjectProperty" ? found.value : found, file };
  }
  if (owner.type === "ClassDeclaration" || owner.type === "ClassExpression") {
    const found = owner.body.body.find((one) => nameOf(one) === name);
    if (found?.type === "ClassMethod" || found?.type === "ClassPrivateMethod") return { node: found, file };
    if (found?.type === "ClassProperty" || found?.type === "ClassPrivateProperty") {
      return found.value == null ? undefined : { node: found.value, file };
    }
  }
  return undefined;
}

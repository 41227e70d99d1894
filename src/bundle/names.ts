/**
 * The names of classes and functions, which programs see: `error.name = this.constructor.name`. In one bundle two modules'
 * `Foo` are `Foo` and `Foo2`, and a class that mentions itself is `_Foo`; esbuild's keepNames would give every closure its
 * name again each time that it is made. The source map knows what was renamed.
 */
import { SourceMap } from "node:module";

/** What a map says of a place; `name` where it was renamed. */
interface Entry {
  readonly originalSource?: string;
  readonly originalLine?: number;
  readonly originalColumn?: number;
  readonly name?: string;
}

const classLine = /^(\s*(?:(?:var|let|const) )?)([\w$]+) = class(?: ([\w$]+))?(?: extends [^{]*)? \{$/;
const functionLine = /^(?:async )?function\*? ([\w$]+\d)\(/;

/** The code, in which what was renamed says its name; no line moves, and nothing before a line's end. */
export function withNames(code: string, map: string): string {
  let source: SourceMap | undefined;
  const at = (line: number, column: number): Entry => {
    source ??= new SourceMap(JSON.parse(map));
    return source.findEntry(line, column) as Entry;
  };
  const functions: string[] = [];
  const lines = code.split("\n");
  for (const [index, line] of lines.entries()) {
    const [, before, name, inner] = classLine.exec(line) ?? [];
    if (name !== undefined) {
      if (inner === undefined ? !/\d$/.test(name) : !inner.startsWith("_")) continue;
      const declared = at(index, before.length);
      // A name that an expression has is the author's, and has a place of its own in the source.
      if (inner !== undefined && !samePlace(declared, at(index, line.indexOf(` ${inner}`) + 1))) continue;
      const original = declared.name ?? name;
      if (original === (inner ?? name)) continue;
      lines[index] = `${line} static { __slipway.name(this, "${original}"); }`;
    } else {
      const renamed = functionLine.exec(line)?.[1];
      if (renamed === undefined) continue;
      const original = at(index, line.indexOf(`${renamed}(`)).name;
      if (original !== undefined && original !== renamed) functions.push(`__slipway.name(${renamed}, "${original}");`);
    }
  }
  // Function declarations are there before the first line runs.
  if (functions.length > 0) lines[0] = `${functions.join(" ")} ${lines[0]}`;
  return lines.join("\n");
}

function samePlace(a: Entry, b: Entry): boolean {
  return a.originalLine === b.originalLine && a.originalColumn === b.originalColumn;
}

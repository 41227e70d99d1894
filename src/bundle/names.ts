/**
 * The names of classes and functions, which programs see: `error.name = this.constructor.name`. In one bundle two modules'
 * `Foo` are `Foo` and `Foo2`, and a class that mentions itself is `_Foo`; esbuild's keepNames would give every closure its
 * name again each time that it is made. The source map knows what was renamed.
 */
import { SourceMap } from "node:module";

const classLine = /^(\s*(?:(?:var|let|const) )?)([\w$]+) = class(?: ([\w$]+))?(?: extends [^{]*)? \{$/;
const functionLine = /^(?:async )?function\*? ([\w$]+\d)\(/;

/** The code, in which what was renamed says its name; no line moves, and nothing before a line's end. */
export function withNames(code: string, map: string): string {
  let source: SourceMap | undefined;
  /** What the map says of just this place. */
  const at = (line: number, column: number): { readonly name?: string } | undefined => {
    source ??= new SourceMap(JSON.parse(map));
    const entry = source.findEntry(line, column);
    return "generatedLine" in entry && entry.generatedLine === line && entry.generatedColumn === column
      ? entry
      : undefined;
  };
  const functions: string[] = [];
  const lines = code.split("\n");
  for (const [index, line] of lines.entries()) {
    const [, before, name, inner] = classLine.exec(line) ?? [];
    if (name !== undefined) {
      if (inner === undefined ? !/\d$/.test(name) : !inner.startsWith("_")) continue;
      // An expression's own name is the author's, and has a place in the source.
      if (inner !== undefined && at(index, line.indexOf(` ${inner}`) + 1) !== undefined) continue;
      const original = at(index, before.length)?.name ?? name;
      if (original === (inner ?? name)) continue;
      lines[index] = `${line} static { __slipway.name(this, "${original}"); }`;
    } else {
      const renamed = functionLine.exec(line)?.[1];
      if (renamed === undefined) continue;
      const original = at(index, line.indexOf(`${renamed}(`))?.name;
      if (original !== undefined && original !== renamed) functions.push(`__slipway.name(${renamed}, "${original}");`);
    }
  }
  // Function declarations are there before the first line runs.
  if (functions.length > 0) lines[0] = `${functions.join(" ")} ${lines[0]}`;
  return lines.join("\n");
}

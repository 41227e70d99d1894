/** What can be seen of a program without running it: that it will not serve. */

/** Words without which nothing listens, waits, or ends on its own: if none is in a program, packages and all, it only computes. */
const doing =
  /\b(Deno|Bun|serve|listen\w*|createServer|connect|fetch|process|exit|worker|Worker|setInterval|setTimeout|spawn|exec|stdin)\b/;

/** Why the bundled program surely cannot serve; undefined when it can, or may. */
export function cannotServe(code: string): string | undefined {
  const namespace = /\n__slipway\.exports = (\w+);\s*$/.exec(code)?.[1];
  // CommonJS says what it exports only when it runs.
  if (namespace === undefined) return undefined;
  const list = new RegExp(`\\n__export\\(${namespace}, \\{\\n([^}]*)\\}\\);`).exec(code)?.[1] ?? "";
  const exported = /^\s*default: \(\) => ([\w$]+),?$/m.exec(list)?.[1];
  if (exported !== undefined) {
    const value = new RegExp(`\\n(?:var|let|const) ${exported.replaceAll("$", "\\$")} = ([^\\n]*);\\n`).exec(code)?.[1];
    if (value !== undefined && isPrimitive(value)) return `its default export is ${value}`;
    const keys = keysOf(code, exported) ?? (value !== undefined && keysOf(code, value));
    if (!keys || keys.some((key) => key === "fetch" || key === "connect")) return undefined;
    return `its default export has neither fetch nor connect (${keys.length === 0 ? "it is empty" : `it has ${keys.join(", ")}`})`;
  }
  // `import * as ns` of more than one file's exports: what they are is not in one list.
  if (/\n__reExport\(/.test(code) || doing.test(code)) return undefined;
  if (list !== "") return "it has no default export and listens on nothing";
  // A tool that writes something and ends is a program, if no server.
  return /\b(console|globalThis|require|__slipway\.import)\b/.test(code)
    ? undefined
    : "it exports nothing and listens on nothing";
}

/**
 * The keys of the object that a variable is, as esbuild writes objects: a line for each of them. Undefined where it may have more:
 * it is spread, computed, or named anywhere but where it is declared and exported.
 */
function keysOf(code: string, name: string): string[] | undefined {
  if (!/^[\w$]+$/.test(name)) return undefined;
  const word = `(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`;
  if ([...code.matchAll(new RegExp(word, "g"))].length !== 2) return undefined;
  const declared = new RegExp(`\\n(?:var|let|const) ${word} = \\{(?:\\}|([^\\n]*)\\};?|\\n([^]*?)\\n\\});\\n`).exec(
    code,
  );
  if (declared === null) return undefined;
  const [, inLine, lines = ""] = declared;
  // In one line it would have to be parsed.
  if (inLine !== undefined) return undefined;
  const keys: string[] = [];
  for (const [, first, rest] of lines.matchAll(/^ {2}([^\s})\]])([^\n]*)/gm)) {
    const key = /^(?:async |\*|get |set )*"?([\w$-]+)"?(?=[:(,]|$)/.exec(first + rest)?.[1];
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

function isPrimitive(value: string): boolean {
  return /^(-?[\d.][\w.]*|"(?:[^"\\]|\\.)*"|true|false|null|void 0|undefined)$/.test(value);
}

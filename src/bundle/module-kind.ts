/** Whether a source file is an ES module or CommonJS, by what it says and not by what package.json says of its folder. */

/** True for ES modules. What neither imports nor exports is one unless it uses CommonJS's names. */
export function isModule(path: string, source: string): boolean {
  if (/\.m[jt]s$/.test(path)) return true;
  if (/\.c[jt]s$/.test(path)) return false;
  if (hasModuleSyntax(source)) return true;
  return !/\.js$/.test(path) && !/\b(require|exports)\b/.test(source);
}

/** `export =` and `import x = require()` are TypeScript's way to write CommonJS. */
function hasModuleSyntax(source: string): boolean {
  return /^\s*(import\b(?!\s+\w+\s*=)[^(.]|export\b(?!\s*=))/m.test(source);
}

/**
 * True when esbuild would take the file for CommonJS though it is not: it decides by `export` alone, so that a program
 * which only imports becomes CommonJS where package.json says "type": "commonjs", as `npm init` writes. Files that
 * mention `exports` keep esbuild's answer: an `import` at the start of a comment's line must not change them.
 */
export function needsModuleMark(path: string, source: string): boolean {
  if (/\.[cm][jt]s$/.test(path) || /\bexports\b|^\s*export\s*=/m.test(source)) return false;
  return hasModuleSyntax(source) || !/\b(import|export|require)\b/.test(source);
}

/** Names of modules that are the same on every machine. */
import { dirname, relative, sep } from "node:path";

/** A file's id: relative to the root; what lies in node_modules, wherever that is, from its last node_modules on. */
export function moduleId(file: string, root: string): string {
  const path = file.split(sep).join("/");
  const packaged = path.lastIndexOf("/node_modules/");
  return packaged >= 0 ? path.slice(packaged + 1) : relative(root, file).split(sep).join("/");
}

/** True for files that a package manager put there. */
export function inPackage(path: string): boolean {
  return /(^|[\\/])node_modules[\\/]/.test(path);
}

/** The deepest directory that holds all of the files. */
export function commonDirectory(files: readonly string[]): string {
  let parts = dirname(files[0]).split(sep);
  for (const file of files) {
    const other = dirname(file).split(sep);
    let same = 0;
    while (same < parts.length && parts[same] === other[same]) same++;
    parts = parts.slice(0, same);
  }
  return parts.join(sep) || sep;
}

/** esbuild names an import with attributes `a.txt with { type: 'text' }`. */
export function withoutAttributes(name: string): string {
  return name.replace(/ with \{.*\}$/s, "");
}

/**
 * From a request's path to a path below the folder. Nothing is put right: what is not the plain name of a file is no file's
 * name, so that there is one spelling for each, and none that two readers take differently.
 */

/** Names below the root, none of which means anything but itself; undefined when the path can name nothing. */
export type Names = readonly string[] | undefined;

export interface AskedPath {
  /** "" at the end where the path ends with a slash; none at all for urlRoot itself. */
  readonly names: Names;
  /** Not even a path: broken percent-encoding. */
  readonly malformed: boolean;
}

const NOTHING: AskedPath = { names: undefined, malformed: false };
const MALFORMED: AskedPath = { names: undefined, malformed: true };
/** Separators of any system in a decoded name, and what no path can have. */
const SEPARATORS = /[/\\\0]/;

/** `pathname` is as URL has it: percent-encoded. */
export function readPath(pathname: string, urlRoot: string | undefined, dotfiles: boolean): AskedPath {
  const root = trimmed(urlRoot ?? "");
  if (root !== "" && pathname !== root && !pathname.startsWith(`${root}/`)) return NOTHING;
  if (root !== "" && pathname === root) return { names: [], malformed: false };
  const parts = pathname.slice(root.length + 1).split("/");
  const names: string[] = [];
  for (const [index, part] of parts.entries()) {
    let name = part;
    try {
      if (part.includes("%")) name = decodeURIComponent(part);
    } catch {
      return MALFORMED;
    }
    if (name === "" && index < parts.length - 1) return NOTHING;
    if (SEPARATORS.test(name) || name === "." || name === "..") return NOTHING;
    // RFC 8615 has its place at the root.
    if (name.startsWith(".") && !dotfiles && !(index === 0 && name === ".well-known")) return NOTHING;
    names.push(name);
  }
  return { names, malformed: false };
}

/** "/static" of "static/". */
export function trimmed(urlRoot: string): string {
  const bare = urlRoot.replace(/^\/+|\/+$/g, "");
  return bare === "" ? "" : `/${bare}`;
}

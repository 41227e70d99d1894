/** What `serveDir` and `serveFile` take: Deno's names where Deno has one. */

export interface ServeFileOptions {
  /** Fields of every answer: an object, or as Deno has them, lines of `name: value`. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  /** Cache-Control of what is found. @default {"no-cache"}: kept, and asked for again each time, which costs a 304 */
  readonly cacheControl?: string;
  /** `app.js.br`, `.zst` or `.gz` beside a file go to clients that accept it, if they are not older. @default {true} */
  readonly precompressed?: boolean;
}

export interface ServeDirOptions extends ServeFileOptions {
  /** The folder: a path from the current directory, or a URL such as `new URL("./public/", import.meta.url)`. @default {"."} */
  readonly fsRoot?: string | URL;
  /** What paths begin with that is not part of the folder: "/static". */
  readonly urlRoot?: string;
  /** A folder is answered with its index.html. @default {true} */
  readonly showIndex?: boolean;
  /** `/about` is about.html. @default {false} */
  readonly cleanUrls?: boolean;
  /** Serves hidden files, too; `.well-known` in the folder itself always is. @default {false} */
  readonly showDotfiles?: boolean;
  /** Follows links out of the folder. @default {false} */
  readonly followSymlinks?: boolean;
  /** Any origin may read the answers. @default {false} */
  readonly enableCors?: boolean;
  /** Paths whose content never changes, since it is part of their name: kept for a year. `/\/assets\//` */
  readonly immutable?: RegExp;
  /** A file for what is not there, if a page was asked for: a single-page application's `index.html`, which has the routes. */
  readonly fallback?: string;
  /** The same with status 404. */
  readonly notFound?: string;
  /** Nothing is printed anyway: --access-log has every request. */
  readonly quiet?: boolean;
}

const OF_FILE = ["headers", "cacheControl", "precompressed"];
/** All that `serveDir` knows. */
export const OF_FOLDER: readonly string[] = [
  ...OF_FILE,
  ...["fsRoot", "urlRoot", "showIndex", "cleanUrls", "showDotfiles", "followSymlinks", "enableCors", "immutable"],
  ...["fallback", "notFound", "quiet"],
];
const known = { serveFile: new Set(OF_FILE), serveDir: new Set(OF_FOLDER) };
const checked = new WeakSet<object>();

/** A misspelt option must not be believed to hold. */
export function checkOptions(options: ServeDirOptions, name: "serveDir" | "serveFile"): void {
  if (checked.has(options)) return;
  for (const [option, value] of Object.entries(options)) {
    if (option === "showDirListing" && name === "serveDir") {
      if (value !== true) continue;
      throw new TypeError("serveDir makes no listings of folders (showDirListing): put an index.html there");
    }
    if (!known[name].has(option)) {
      throw new TypeError(`${name}: '${option}' is no option: it takes ${[...known[name]].join(", ")}`);
    }
    if (option === "immutable" && value !== undefined && (!(value instanceof RegExp) || value.global || value.sticky)) {
      throw new TypeError("immutable of serveDir must be a RegExp without the flags g and y");
    }
  }
  checked.add(options);
}

/** The fields that the program wants on every answer, in pairs. */
export function extraFields({ headers }: ServeFileOptions): [string, string][] {
  if (headers === undefined) return [];
  if (!Array.isArray(headers)) return Object.entries(headers as Record<string, string>);
  return headers.map((line: unknown) => {
    const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(String(line)) ?? [];
    if (name === undefined) throw new TypeError(`headers: ${JSON.stringify(line)} is no field: write "name: value"`);
    return [name, value];
  });
}

/**
 * Import maps (https://html.spec.whatwg.org/multipage/webappapis.html#import-maps), with what Deno adds to them:
 * `"hono": "npm:hono@4"` answers for `hono/jsx` as well.
 */

/** The `imports` of a map: what is written, and what it stands for. */
export type Imports = Readonly<Record<string, unknown>>;

/** A map as it is written in a file. */
export interface MapSource {
  readonly imports?: Imports;
  readonly scopes?: Readonly<Record<string, Imports>>;
}

type Entries = readonly (readonly [key: string, target: string | null])[];

/** A map whose relative names have become URLs. The longest key is the first, so the first that fits is the right one. */
export interface ImportMap {
  readonly imports: Entries;
  readonly scopes: readonly (readonly [prefix: string, entries: Entries])[];
}

/** Reads the maps, each with the URL that its relative names start from, as one. */
export function importMap(sources: readonly (MapSource & { readonly base: string })[]): ImportMap {
  const imports = sources.flatMap(({ imports, base }) => entriesOf(imports, base));
  const scopes = new Map<string, Entries>();
  for (const { scopes: written = {}, base } of sources) {
    for (const [prefix, entries] of Object.entries(written)) {
      const url = URL.parse(prefix, base)?.href;
      if (url !== undefined) scopes.set(url, [...(scopes.get(url) ?? []), ...entriesOf(entries, base)]);
    }
  }
  return {
    imports: imports.toSorted(longestFirst),
    scopes: [...scopes].map(([url, entries]) => [url, entries.toSorted(longestFirst)] as const).sort(longestFirst),
  };
}

/** What a specifier in the module `importer` (a URL) stands for; null when the map forbids it, undefined when it is silent. */
export function mapSpecifier(map: ImportMap, specifier: string, importer: string): string | null | undefined {
  const url = urlLike(specifier, importer);
  const name = url ?? specifier;
  for (const [prefix, entries] of map.scopes) {
    if (importer !== prefix && !(prefix.endsWith("/") && importer.startsWith(prefix))) continue;
    const found = look(entries, name);
    if (found !== undefined) return found;
  }
  return look(map.imports, name);
}

function look(entries: Entries, name: string): string | null | undefined {
  for (const [key, target] of entries) {
    if (key === name) return target;
    if (!key.endsWith("/") || !name.startsWith(key)) continue;
    if (target === null) return null;
    const rest = name.slice(key.length);
    return /^(npm|jsr):/.test(target) ? target + rest : (URL.parse(rest, target)?.href ?? target + rest);
  }
  return undefined;
}

function entriesOf(imports: Imports = {}, base: string): Entries {
  const entries: [string, string | null][] = [];
  for (const [key, value] of Object.entries(imports)) {
    const target = typeof value === "string" ? (urlLike(value, base) ?? value) : null;
    entries.push([urlLike(key, base) ?? key, target]);
    const [, scheme, rest] = /^(npm:|jsr:)\/?(.+?)\/?$/.exec(target ?? "") ?? [];
    if (scheme !== undefined && !key.endsWith("/") && !Object.hasOwn(imports, `${key}/`)) {
      entries.push([`${key}/`, `${scheme}${rest}/`]);
    }
  }
  return entries;
}

/** The URL that a specifier is when it is relative or has a scheme; undefined for a bare name. */
function urlLike(specifier: string, base: string): string | undefined {
  if (/^\.{0,2}\//.test(specifier) || /^\.{1,2}$/.test(specifier)) return URL.parse(specifier, base)?.href;
  // npm:hono@4/ would lose nothing as a URL, but names stay as they were written.
  return /^(npm|jsr|node):/.test(specifier) ? specifier : URL.parse(specifier)?.href;
}

function longestFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return b.length - a.length;
}

/**
 * Stack traces that name the author's files and lines. V8 formats an error's stack when it is first read, and asks
 * `Error.prepareStackTrace` then: until an error's stack is looked at, this costs nothing, not even reading the map.
 */
import type { SourceMap } from "node:module";

interface Mapped {
  readonly root: string;
  readonly text: () => string;
  map?: SourceMap;
}

/** What SourceMap gives, or an empty object where nothing is mapped. */
interface Entry {
  readonly originalSource?: string;
  readonly originalLine: number;
  readonly originalColumn: number;
}

const scripts = new Map<string, Mapped>();
let whole = false;

/** From now on frames of the script `filename` are shown where its source map says; sources are relative to `root`. */
export function mapStacks(filename: string, root: string, map: () => string): void {
  scripts.set(filename, { root, text: map });
  Error.prepareStackTrace = prepare;
  whole = process.env.SLIPWAY_STACK === "full";
}

function prepare(error: Error, frames: NodeJS.CallSite[]): string {
  let head: string;
  try {
    head = Error.prototype.toString.call(error);
  } catch {
    head = "Error";
  }
  const lines = frames.map(describe).filter((text) => text !== undefined);
  return [head, ...shown(lines).map((text) => `    at ${text}`)].join("\n");
}

/** Of our own sources, in the executable. */
const OURS = /(?:^|[ (])slipway:\//;
const HOSTS = /(?:^|[ (])node:/;

/**
 * Of the frames that are ours the one which the program called, and no other: how a request came to its handler helps
 * nobody. SLIPWAY_STACK=full shows all, as does a stack that the program has no part in.
 */
function shown(lines: readonly string[]): readonly string[] {
  const first = lines.findIndex((line) => !OURS.test(line) && !HOSTS.test(line));
  if (first < 0 || whole) return lines;
  return lines.filter((line, i) => i === first - 1 || !OURS.test(line));
}

/** A frame as V8 shows it, at its place in the source; undefined for what the bundler put in between. */
function describe(frame: NodeJS.CallSite): string | undefined {
  const text = frame.toString();
  const file = frame.getFileName();
  const script = file === null || file === undefined ? undefined : scripts.get(file);
  const line = frame.getLineNumber();
  const column = frame.getColumnNumber();
  if (script === undefined || line === null || column === null) return text;
  try {
    script.map ??= new (process.getBuiltinModule("node:module").SourceMap)(JSON.parse(script.text()));
    // Not findOrigin(), which adds the distance from the start of the mapped piece and so points behind it.
    const { originalSource, originalLine, originalColumn } = script.map.findEntry(line - 1, column - 1) as Entry;
    if (originalSource === undefined || /^<entry>$|^slipway-meta:/.test(originalSource)) return undefined;
    const named = originalSource.startsWith("node_modules/") || script.root === "";
    const where = named ? originalSource : `${script.root}/${originalSource}`;
    return text.replace(`${file}:${line}:${column}`, () => `${where}:${originalLine + 1}:${originalColumn + 1}`);
  } catch {
    return text;
  }
}

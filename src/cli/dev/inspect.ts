/**
 * The inspector for a program that `run` has bundled: Chrome's DevTools and editors attach to it as to Node's
 * (`node:inspector` is theirs), and find the author's files through a source map in the script itself.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bundle } from "../../bundle/mod.ts";
import { Failure } from "../errors.ts";
import { tell } from "../output.ts";
import type { Inspect } from "./inspect-flags.ts";

/** To be loaded with this offset of lines: clients differ in what they make of one, so there is none. */
export const INSPECTED_OFFSET = 0;

interface Map {
  readonly version: 3;
  readonly sources: readonly string[];
  readonly names: readonly string[];
  readonly mappings: string;
}

/** Opens it, and waits where that was asked for. */
export function openInspector({ host, port, wait }: Inspect): void {
  const inspector = process.getBuiltinModule("node:inspector");
  // NODE_OPTIONS may have opened it already.
  if (inspector.url() !== undefined) return wait ? inspector.waitForDebugger() : undefined;
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (!/^(?:127\.|localhost$|::1$)/.test(host)) {
    tell(`warning: --inspect on ${where}: whoever reaches this port can run any code here\n`);
  }
  // It says on standard error where it listens, which editors wait for; and why not, without throwing.
  inspector.open(port, host);
  if (inspector.url() === undefined) {
    throw new Failure(`--inspect: no debugger can be served on ${where}: choose another port with --inspect=host:port`);
  }
  if (wait) inspector.waitForDebugger();
}

export function closeInspector(): void {
  process.getBuiltinModule("node:inspector").close();
}

/** The bundle as debuggers want it. `stop`: before its first line. */
export function inspected(bundle: Bundle, stop: boolean): Bundle {
  const map = JSON.parse(bundle.map) as Map;
  // The wrapper's line, and the one that stops.
  const mappings = `;${stop ? stoppingAt(map.sources.indexOf(bundle.entry), map.mappings) : map.mappings}`;
  const files = map.sources.map((id) => bundle.packaged[id] ?? join(bundle.root, id));
  const forClients = {
    ...map,
    mappings,
    sources: files.map((file, i) => (map.sources[i].startsWith("<") ? map.sources[i] : pathToFileURL(file).href)),
    // Chrome reads no files.
    sourcesContent: files.map(contentsOf),
  };
  const url = `data:application/json;base64,${Buffer.from(JSON.stringify(forClients)).toString("base64")}`;
  return {
    ...bundle,
    code: `${stop ? "debugger;\n" : ""}${bundle.code}\n//# sourceMappingURL=${url}`,
    map: JSON.stringify({ ...map, mappings }),
  };
}

function contentsOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/**
 * The mappings with a line in front that belongs to the first of source `index`. Each segment counts from the one
 * before (ECMA-426), so the first of those that follow has to count back.
 */
function stoppingAt(index: number, mappings: string): string {
  if (index < 0) return `;${mappings}`;
  const start = /^[;,]*/.exec(mappings)?.[0].length ?? 0;
  const end = mappings.slice(start).search(/[;,]|$/) + start;
  const [column, source, ...rest] = decode(mappings.slice(start, end));
  const first = source === undefined ? "" : encode([column, source - index, ...rest]);
  return `${encode([0, index, 0, 0])};${mappings.slice(0, start)}${first}${mappings.slice(end)}`;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 VLQ: five bits a digit, the lowest first; the lowest bit of all is the sign. */
function decode(segment: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if ((bits & 32) !== 0) continue;
    values.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return values;
}

function encode(values: readonly number[]): string {
  let text = "";
  for (const value of values) {
    let rest = value < 0 ? (-value << 1) | 1 : value << 1;
    do {
      const bits = rest & 31;
      rest >>>= 5;
      text += DIGITS[rest > 0 ? bits | 32 : bits];
    } while (rest > 0);
  }
  return text;
}

/**
 * Counts of ranges in a bundle → counts of lines in the files that it was made of. V8 nests ranges: what counts for a
 * place is the innermost one around it. A line of a source ran as often as that piece of it which ran most often.
 */
import { SourceMap } from "node:module";
import { join } from "node:path";
import { programHead } from "../../bundle/load.ts";
import type { Job } from "../protocol.ts";
import type { CoveredFunction } from "./collect.ts";

/** What ran of one file. */
export interface FileCoverage {
  /** By line, from 1. */
  readonly lines: Map<number, number>;
  /** By `line:name`. */
  readonly functions: Map<string, number>;
  /** By `line:column` of where it begins: blocks that ran less, or more, often than what is around them. */
  readonly branches: Map<string, number>;
}

/** Coverage by absolute path. */
export type Coverage = Map<string, FileCoverage>;

/** Adds what the tests of one file ran; `wanted` says of a source's path whether it is asked about. */
export function addCoverage(
  all: Coverage,
  { bundle }: Job,
  functions: readonly CoveredFunction[],
  wanted: (path: string) => boolean,
): void {
  const map = JSON.parse(bundle.map) as { sources: string[]; mappings: string };
  const paths = map.sources.map((source) => {
    const path = join(bundle.root, source);
    return !source.startsWith("node_modules/") && !/^<|^slipway-meta:/.test(source) && wanted(path) ? path : undefined;
  });
  if (!paths.some((path) => path !== undefined)) return;
  const starts = lineStarts(bundle.code, programHead.length);
  const countAt = counter(functions);
  const mentions = decode(map.mappings);
  const here = new Map<string, FileCoverage>();
  const of = (path: string) => {
    let file = here.get(path);
    if (file === undefined) here.set(path, (file = { lines: new Map(), functions: new Map(), branches: new Map() }));
    return file;
  };
  for (const [line, column, source, sourceLine] of mentions) {
    const path = paths[source];
    if (path === undefined) continue;
    const count = countAt(starts[line] + column);
    if (count === undefined) continue;
    const { lines } = of(path);
    lines.set(sourceLine + 1, Math.max(lines.get(sourceLine + 1) ?? 0, count));
  }
  const finder = new SourceMap(JSON.parse(bundle.map));
  const placeOf = (offset: number): [path: string, line: number, column: number] | undefined => {
    const line = lineOf(starts, offset);
    if (line < 0) return undefined;
    const entry = finder.findEntry(line, offset - starts[line]);
    if (!("originalSource" in entry)) return undefined;
    const path = paths[map.sources.indexOf(entry.originalSource)];
    return path === undefined ? undefined : [path, entry.originalLine + 1, entry.originalColumn + 1];
  };
  for (const { name, ranges } of functions) {
    const place = placeOf(ranges[0][0]);
    if (place === undefined) continue;
    // A range's end is the next one's beginning: one that begins at the end of a line is of the next.
    if (name !== "" && !/^__|^(?:node_modules|src)\//.test(name) && !/[/.]/.test(name)) {
      const { functions: known } = of(place[0]);
      const key = `${place[1]}:${name}`;
      known.set(key, Math.max(known.get(key) ?? 0, ranges[0][2]));
    }
    for (const [start, , count] of ranges.slice(1)) {
      const begin = placeOf(start);
      if (begin === undefined) continue;
      const key = `${begin[1]}:${begin[2]}`;
      const { branches } = of(begin[0]);
      branches.set(key, Math.max(branches.get(key) ?? 0, count));
    }
  }
  for (const [path, file] of here) {
    const known = all.get(path);
    if (known === undefined) all.set(path, file);
    else {
      sum(known.lines, file.lines);
      sum(known.functions, file.functions);
      sum(known.branches, file.branches);
    }
  }
}

function sum<K>(into: Map<K, number>, from: Map<K, number>): void {
  for (const [key, count] of from) into.set(key, (into.get(key) ?? 0) + count);
}

/** Where each line of the code begins in the script. */
function lineStarts(code: string, head: number): number[] {
  const starts = [head];
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) starts.push(head + at + 1);
  return starts;
}

function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= offset) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** The count of the innermost range at an offset. */
function counter(functions: readonly CoveredFunction[]): (offset: number) => number | undefined {
  const ranges = functions.flatMap(({ ranges }) => ranges).sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  // Pieces in which the count stays the same.
  const at: number[] = [];
  const counts: (number | undefined)[] = [];
  const put = (offset: number, count: number | undefined) => {
    if (at.at(-1) === offset) counts[counts.length - 1] = count;
    else {
      at.push(offset);
      counts.push(count);
    }
  };
  const around: (readonly [number, number, number])[] = [];
  const leave = (until: number) => {
    for (let last = around.at(-1); last !== undefined && last[1] <= until; last = around.at(-1)) {
      around.pop();
      put(last[1], around.at(-1)?.[2]);
    }
  };
  for (const range of ranges) {
    leave(range[0]);
    around.push(range);
    put(range[0], range[2]);
  }
  leave(Number.POSITIVE_INFINITY);
  return (offset) => {
    const index = lineOf(at, offset);
    return index < 0 ? undefined : counts[index];
  };
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A source map's mappings (ECMA-426): line and column of the code, number of the source, its line; all from 0. */
function decode(mappings: string): [line: number, column: number, source: number, sourceLine: number][] {
  const found: [number, number, number, number][] = [];
  let line = 0;
  let column = 0;
  let source = 0;
  let sourceLine = 0;
  let fields: number[] = [];
  let value = 0;
  let shift = 0;
  const end = () => {
    if (fields.length > 0) column += fields[0];
    if (fields.length > 1) {
      source += fields[1];
      sourceLine += fields[2];
      found.push([line, column, source, sourceLine]);
    }
    fields = [];
  };
  for (const char of mappings) {
    if (char === "," || char === ";") {
      end();
      if (char === ";") {
        line++;
        column = 0;
      }
      continue;
    }
    const digit = DIGITS.indexOf(char);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    fields.push(value & 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  end();
  return found;
}

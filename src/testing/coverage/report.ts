/** Coverage as a table for people, and as lcov's tracefile (geninfo(1)) for tools. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Paint, painting } from "../report/colors.ts";
import type { Coverage, FileCoverage } from "./map.ts";

/** Shares in percent, of lines, functions and branches. */
type Shares = readonly [branches: number, functions: number, lines: number];

/** Writes `lcov.info` into a folder; gives its path. */
export function writeLcov(coverage: Coverage, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "lcov.info");
  writeFileSync(path, sorted(coverage).map(record).join(""));
  return path;
}

function record([path, { lines, functions, branches }]: readonly [string, FileCoverage]): string {
  const text = [`SF:${path}`];
  const named = [...functions].map(([key, count]) => {
    const at = key.indexOf(":");
    return { line: Number(key.slice(0, at)), name: key.slice(at + 1), count };
  });
  for (const { line, name } of named) text.push(`FN:${line},${name}`);
  for (const { name, count } of named) text.push(`FNDA:${count},${name}`);
  text.push(`FNF:${named.length}`, `FNH:${named.filter(({ count }) => count > 0).length}`);
  let block = 0;
  for (const [key, count] of branches) text.push(`BRDA:${key.split(":")[0]},${block++},0,${count}`);
  text.push(`BRF:${branches.size}`, `BRH:${hits(branches)}`);
  for (const [line, count] of [...lines].sort(([a], [b]) => a - b)) text.push(`DA:${line},${count}`);
  text.push(`LH:${hits(lines)}`, `LF:${lines.size}`, "end_of_record", "");
  return text.join("\n");
}

/** The table that `deno test --coverage` prints, with the lines that did not run. */
export function coverageTable(coverage: Coverage, paint: Paint = painting(false)): string {
  const rows = sorted(coverage).map(([path, file]) => ({
    name: relative(process.cwd(), path),
    shares: sharesOf([file]),
    missed: missedLines(file),
  }));
  const all = { name: "All files", shares: sharesOf([...coverage.values()]), missed: "" };
  const width = Math.max(...[...rows, all].map(({ name }) => name.length));
  const cells = (name: string, shares: readonly string[], missed: string) =>
    `| ${name.padEnd(width)} | ${shares[0].padStart(8)} | ${shares[1].padStart(10)} | ${shares[2].padStart(6)} | ${missed}`.trimEnd();
  const head = [cells("File", ["Branch %", "Function %", "Line %"], "lines that did not run")];
  head.push(`| ${"-".repeat(width)} | -------- | ---------- | ------ |`);
  const text = [...rows, all].map(({ name, shares, missed }) => {
    const line = cells(
      name,
      shares.map((share) => share.toFixed(1)),
      missed,
    );
    const [, , lines] = shares;
    return lines >= 90 ? paint.green(line) : lines >= 75 ? paint.yellow(line) : paint.red(line);
  });
  return [...head, ...text].join("\n");
}

/** The share of lines that ran, of all files. */
export function lineShare(coverage: Coverage): number {
  return sharesOf([...coverage.values()])[2];
}

function sharesOf(files: readonly FileCoverage[]): Shares {
  const share = (key: keyof FileCoverage) => {
    const total = files.reduce((sum, file) => sum + file[key].size, 0);
    const hit = files.reduce((sum, file) => sum + hits(file[key]), 0);
    return total === 0 ? 100 : (hit / total) * 100;
  };
  return [share("branches"), share("functions"), share("lines")];
}

/** `3-4, 11-13`; lines between that hold no code are no gap. */
function missedLines({ lines }: FileCoverage): string {
  const runs: [number, number][] = [];
  let open: [number, number] | undefined;
  for (const [line, count] of [...lines].sort(([a], [b]) => a - b)) {
    if (count > 0) open = undefined;
    else if (open === undefined) runs.push((open = [line, line]));
    else open[1] = line;
  }
  const most = 8;
  const shown = runs.slice(0, most).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return shown.join(", ") + (runs.length > most ? ", …" : "");
}

function hits(counts: ReadonlyMap<unknown, number>): number {
  let hit = 0;
  for (const count of counts.values()) if (count > 0) hit++;
  return hit;
}

function sorted(coverage: Coverage): (readonly [string, FileCoverage])[] {
  return [...coverage].sort(([a], [b]) => (a < b ? -1 : 1));
}

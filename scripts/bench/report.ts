// A result as a table for people and as JSON for later comparison.
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";
import type { Question } from "./question.ts";
import type { Result } from "./rounds.ts";

/** Above this max ÷ min a median of a few rounds says little. */
const NOISY_SPREAD = 1.15;
const OTHER_LOAD = 0.25;

export function table(question: Question, result: Result): string {
  const [header, ...rows] = cells(question, result);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  ");
  const lines = [
    `${result.question}: ${result.title} (${result.rounds} rounds${question.fresh ? "" : ` of ${result.seconds} s`}` +
      `${result.better === "higher" ? "; more is better" : ""})`,
  ];
  lines.push(line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line));
  for (const [peer, why] of Object.entries(result.missing)) lines.push(`left out: ${peer}: ${why}`);
  for (const [peer, why] of Object.entries(result.failed)) lines.push(`failed: ${peer}: ${why}`);
  return [...lines, ...warnings(result)].join("\n");
}

/** The table's header and rows, for the terminal and for Markdown alike. */
export function cells(question: Question, result: Result): string[][] {
  const against = (question.against ?? ["deno", "c"]).filter((name) => result.peers.some((peer) => peer.peer === name));
  const second = question.extra.find(({ key }) => key === question.ratioOf);
  const header = ["", result.unit, "min", "spread", ...against.map((name) => `÷ ${name}`)];
  header.push(...question.extra.map((column) => column.label));
  if (second) header.push(...against.map((name) => `${second.label} ÷ ${name}`));
  const rows = result.peers.map((peer) => [
    peer.peer,
    figure(peer.median, question.digits ?? 2),
    figure(peer.min, question.digits ?? 2),
    figure(peer.spread, 2),
    ...against.map((name) => (name === peer.peer ? "1" : figure(peer.ratio[name], 2))),
    ...question.extra.map((column) => figure(peer.extra[column.key] ?? Number.NaN, column.digits)),
    ...(second
      ? against.map((name) => (name === peer.peer ? "1" : figure(peer.secondRatio?.[name] ?? Number.NaN, 2)))
      : []),
  ]);
  return [header, ...rows];
}

/** A ratio of nothing to nothing is a dash, not a number. */
function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}

export function warnings(result: Result): string[] {
  const said = result.peers
    .filter((peer) => Number.isFinite(peer.spread) && peer.spread > NOISY_SPREAD)
    .map(
      (peer) =>
        `noisy: ${peer.peer}'s rounds differ by ${peer.spread.toFixed(2)}×; more --rounds, or a quieter machine`,
    );
  if (result.otherLoad > OTHER_LOAD) {
    said.push(`noisy: something else used up to ${Math.round(result.otherLoad * 100)} % of a core meanwhile`);
  }
  return said;
}

/** Writes dist/bench/<question>.json (or elsewhere) and returns its path. */
export function writeResult(result: Result, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${result.question}.json`);
  writeFileSync(
    path,
    `${JSON.stringify({ at: new Date().toISOString(), machine: machine(), node: process.version, ...result }, null, 2)}\n`,
  );
  return path;
}

export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
}

export function machine(): Machine {
  const [first] = cpus();
  return { platform: process.platform, arch: arch(), kernel: release(), cpu: first?.model ?? "", cores: cpus().length };
}

// --save: results to be kept in docs/bench/. The samples as JSON and a plot for each
// question, and one page with all the tables, made anew from the JSON files each time,
// so that a question may be measured again alone. Nothing in them tells whose machine
// it was: no path, no name.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peer.ts";
import type { Question } from "./question.ts";
import { loadQuestions, place, questionNames } from "./questions.ts";
import { cells, type Machine, machine, warnings } from "./report.ts";
import type { PeerResult, Result } from "./rounds.ts";
import { barPlot, overviewPlot } from "./svg.ts";

interface Kept extends Result {
  readonly date: string;
  readonly machine: Machine;
  /** Of each peer that was measured, where it has one of its own. */
  readonly versions: Readonly<Record<string, string>>;
}

export function keep(question: Question, result: Result, peers: readonly Peer[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  const measured = peers.filter(({ name }) => result.peers.some(({ peer }) => peer === name));
  const versions = Object.fromEntries(measured.map(({ name, version }) => [name, version?.() ?? ""]));
  const here = machine();
  const kept: Kept = {
    date: new Date().toISOString().slice(0, 10),
    machine: { ...here, kernel: here.kernel.replace(/^(\d+\.\d+).*/, "$1") },
    versions: Object.fromEntries(Object.entries(versions).filter(([, version]) => version)),
    ...result,
    missing: withoutPaths(result.missing),
    failed: withoutPaths(result.failed),
  };
  // Four digits are more than any of them is worth.
  const text = JSON.stringify(kept, (_key, value) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );
  writeFileSync(join(directory, `${result.question}.json`), `${text}\n`);
  writeFileSync(join(directory, `${result.question}.svg`), plot(question, result));
}

function withoutPaths(said: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(said).map(([peer, why]) => [peer, why.replace(/(?:\/[^\s/'":;,]+){2,}/g, "…")]),
  );
}

function plot(question: Question, result: Result): string {
  const direction = result.better === "higher" ? "more is better" : "less is better";
  const bars = result.peers.map(({ peer, median, min, max }) => ({
    name: peer,
    value: median,
    min,
    max,
    digits: question.digits ?? 2,
  }));
  return barPlot(
    `${result.question}: ${result.title}`,
    `${result.unit}, median and range of the rounds; ${direction}`,
    bars,
  );
}

/** The page and the overview, from every question that has been kept. */
export async function writePage(directory: string): Promise<string> {
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .filter((name) => questionNames.includes(name))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  const questions = await loadQuestions(names);
  const kept = names.map((name) => JSON.parse(readFileSync(join(directory, `${name}.json`), "utf8")) as Kept);
  const rows = kept.map((each) => ({ name: each.question, ratios: costRatios(each) }));
  writeFileSync(
    join(directory, "overview.svg"),
    overviewPlot("What a thing costs: ours ÷ theirs, each question", rows),
  );
  const page = join(directory, "README.md");
  writeFileSync(page, [head(kept), ...kept.map((each, i) => section(questions[i], each))].join("\n"));
  return page;
}

/** Ours ÷ each peer; turned over where more is better. */
function costRatios(result: Result): Record<string, number> {
  const ours = ourselves(result);
  const ratios: Record<string, number> = {};
  for (const [peer, ratio] of Object.entries(ours?.ratio ?? {})) {
    // Two cores of ours are held against two of theirs.
    if (ours?.peer === "slipway-2" && !peer.endsWith("-2")) continue;
    ratios[peer.replace(/-2$/, "")] = result.better === "higher" ? 1 / ratio : ratio;
  }
  return ratios;
}

function head(kept: readonly Kept[]): string {
  const versions: Record<string, string> = {};
  for (const each of kept) Object.assign(versions, each.versions);
  const named = Object.entries(versions)
    .filter(([name]) => !name.startsWith("slipway-"))
    .map(([name, version]) => `${name} ${version}`);
  const machines = new Set(
    kept.map((each) => `${each.machine.cores} cores (${each.machine.cpu}), ${system(each.machine)}`),
  );
  const dates = [...new Set(kept.map((each) => each.date))].sort();
  const when = dates.length > 1 ? `${dates[0]} to ${dates.at(-1)}` : (dates[0] ?? "");
  return `# Measured

Written by \`npm run bench -- --save\`; [Performance](../performance.md) says how to read it and what can mislead.

${when}, on ${[...machines].join("; and ")}. ${named.join(", ")}. The JSON files beside this page have every sample.

![All questions](overview.svg)

${standing(kept)}`;
}

/** Everybody at a glance, and said in words: a table alone is easily read for what one hoped to find. */
const OTHERS = ["deno", "bun", "node", "go", "c", "c-uring"];
/** Closer than this is a draw. */
const DRAW = 1.05;

function standing(kept: readonly Kept[]): string {
  const rows: string[] = [];
  const behind: string[] = [];
  for (const each of kept) {
    const ours = ourselves(each);
    if (!ours) continue;
    const ratios = costRatios(each);
    const cells = OTHERS.map((name) => (ratios[name] > 0 ? ratios[name].toFixed(2) : ""));
    rows.push(
      `| [${each.question}](#${each.question}) | ${ours.median < 100 ? ours.median.toPrecision(3) : ours.median.toFixed(0)} ${each.unit} | ${cells.join(" | ")} |`,
    );
    const winners = OTHERS.filter((name) => !name.startsWith("c") && ratios[name] > DRAW);
    if (winners.length === 0) continue;
    winners.sort((a, b) => ratios[b] - ratios[a]);
    behind.push(
      `- ${each.question}: ${winners.map((name) => `${name} (ours costs ${ratios[name].toFixed(2)}×)`).join(", ")}`,
    );
  }
  return [
    "What a thing costs us ÷ what it costs them: below 1, ours costs less. Throughput is turned over. The C programs are",
    "floors, not servers.",
    "",
    `| | ours | ${OTHERS.map((name) => `÷ ${name}`).join(" | ")} |`,
    `|---|---:|${"---:|".repeat(OTHERS.length)}`,
    ...rows,
    "",
    ...(behind.length > 0 ? ["Where a peer does better than we do:", "", ...behind, ""] : []),
  ].join("\n");
}

/** Ours as most people run it; on two cores, where that is what is asked. */
function ourselves(result: Result): PeerResult | undefined {
  const find = (name: string) => result.peers.find(({ peer }) => peer === name);
  return find("slipway-2") ?? find("slipway") ?? find("compiled");
}

function system({ platform, kernel, arch }: Machine): string {
  return `${platform === "linux" ? "Linux" : platform} ${kernel}, ${arch}`;
}

function section(question: Question, kept: Kept): string {
  const [header, ...rows] = cells(question, kept);
  const lines = [
    `## ${kept.question}`,
    "",
    `${capital(kept.title)}. ${kept.rounds} rounds${question.fresh ? "" : ` of ${kept.seconds} s`}${kept.better === "higher" ? "; more is better" : ""}.`,
    "",
    `| ${header.join(" | ")} |`,
    `|---|${"---:|".repeat(header.length - 1)}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
  ];
  const notes = [
    ...Object.entries(kept.missing).map(([peer, why]) => `left out: ${peer}: ${why}`),
    ...Object.entries(kept.failed).map(([peer, why]) => `failed: ${peer}: ${why}`),
    ...warnings(kept),
  ];
  if (notes.length > 0) lines.push(...notes.map((note) => `- ${note}`), "");
  lines.push(`![${kept.question}](${kept.question}.svg)`, "");
  return lines.join("\n");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

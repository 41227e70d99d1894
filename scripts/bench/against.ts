// npm run bench -- --against REV: is what lies here better or worse than a revision?
//
// REV is checked out into a temporary worktree with our node_modules, and both run
// `slipway run` with the same handlers. Two processes of one program differ by a
// few percent for as long as they live (where memory lay, what was compiled when),
// so more rounds of the same two processes make a wrong answer only more certain.
// Therefore a round here starts both anew, warms them, and counts as one ratio: the
// median of short pairs of windows, one right after the other and who goes first in
// turn, so that whatever else the machine does meets both.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRoot, type Peer, root } from "./peer.ts";
import { slipwayPeer } from "./peers-ours.ts";
import type { Question, Settings } from "./question.ts";
import { machine } from "./report.ts";
import { settingsFor, startSubject, warm } from "./rounds.ts";
import { type Interval, median, ratioInterval, type Verdict, verdict } from "./statistics.ts";

/** Of a dozen questions about two equal revisions, one is answered wrongly once in eight runs. */
export const CONFIDENCE = 0.99;
export const FEWEST_ROUNDS = 8;
/** The windows that a round's seconds are cut into. */
const WINDOW_SECONDS = 0.2;

/** Asked when none is named: what every request passes, and one of each kind of body. */
export const guarded: readonly string[] = [
  "plaintext",
  "json",
  "async",
  "pipelined",
  "connect",
  "echo",
  "chunked",
  "static",
  "download",
  "upload",
];

export interface Comparison {
  readonly question: string;
  readonly unit: string;
  readonly here: number;
  readonly there: number;
  /** Here ÷ there, of what a thing costs: for throughput it is turned over. Below 1 is better. */
  readonly ratios: readonly number[];
  readonly interval: Interval;
  readonly verdict: Verdict;
}

export interface AgainstPlan {
  readonly rounds: number;
  readonly warmup: number;
  readonly settings: Settings;
  readonly directory: string;
  readonly out: string;
  readonly progress: (text: string) => void;
}

/** Compares, prints a line a question, and returns the exit code: 1 when something is worse, or failed. */
export async function against(revision: string, questions: readonly Question[], plan: AgainstPlan): Promise<number> {
  const commit = git("rev-parse", "--verify", "--quiet", `${revision}^{commit}`);
  if (!commit) throw new Error(`--against ${revision}: git knows no such revision`);
  const worktree = join(plan.directory, "against");
  git("worktree", "add", "--detach", worktree, commit);
  const remove = (): void => void git("worktree", "remove", "--force", worktree);
  // Before what removes the folder it is in: git would not know it any more.
  process.prependOnceListener("exit", remove);
  try {
    rmSync(join(worktree, "node_modules"), { recursive: true, force: true });
    symlinkSync(inRoot("node_modules"), join(worktree, "node_modules"));
    const sides: Sides = [slipwayPeer({ name: "here" }), slipwayPeer({ name: "there", root: worktree })];
    const subject = git("log", "-1", "--format=%h %s", commit).slice(0, 80);
    console.log(`here: what lies in this directory; there: ${subject}`);
    console.log(`${plan.rounds} rounds a question, each with both started anew\n`);
    const done: Comparison[] = [];
    let failures = 0;
    for (const question of questions) {
      try {
        const comparison = await compare(question, sides, plan);
        done.push(comparison);
        console.log(line(comparison));
      } catch (error) {
        failures++;
        plan.progress("");
        console.log(`${question.name.padEnd(16)}failed: ${error instanceof Error ? error.message : error}`);
      }
    }
    mkdirSync(plan.out, { recursive: true });
    const path = join(plan.out, "against.json");
    const kept = { at: new Date().toISOString(), machine: machine(), node: process.version, commit, questions: done };
    writeFileSync(path, `${JSON.stringify(kept, null, 2)}\n`);
    const count = (wanted: Verdict): number => done.filter((each) => each.verdict === wanted).length;
    console.log(`\n${count("better")} better, ${count("same")} same, ${count("worse")} worse\n${path}`);
    return failures > 0 || count("worse") > 0 ? 1 : 0;
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

type Sides = readonly [here: Peer, there: Peer];

async function compare(question: Question, sides: Sides, plan: AgainstPlan): Promise<Comparison> {
  const settings = settingsFor(question, plan.settings);
  const directory = join(plan.directory, question.name);
  mkdirSync(directory, { recursive: true });
  const putAway = await question.prepare?.(directory, settings);
  const figures: [here: number[], there: number[]] = [[], []];
  const ratios: number[] = [];
  try {
    const commands = sides.map((side) => {
      const launched = side.launch(question.handlers, join(directory, side.name));
      if ("missing" in launched) throw new Error(`${side.name}: ${launched.missing}`);
      return launched.command;
    });
    for (let round = 0; round < plan.rounds; round++) {
      plan.progress(`${question.name}: round ${round + 1} of ${plan.rounds}`);
      const [here, there] = await sampleRound(question, sides, commands, round, plan, settings);
      figures[0].push(median(here));
      figures[1].push(median(there));
      ratios.push(median(here.map((value, i) => (question.better === "higher" ? there[i] / value : value / there[i]))));
    }
  } finally {
    plan.progress("");
    await putAway?.();
  }
  const interval = ratioInterval(ratios, CONFIDENCE);
  if (!interval)
    throw new Error(`fewer than ${FEWEST_ROUNDS} rounds say nothing with ${CONFIDENCE * 100} % confidence`);
  const [here, there] = figures.map(median);
  return { question: question.name, unit: question.unit, here, there, ratios, interval, verdict: verdict(interval) };
}

/** Both sides started anew, warmed, and sampled in turn. */
async function sampleRound(
  question: Question,
  sides: Sides,
  commands: readonly ((port: number) => string[])[],
  round: number,
  plan: AgainstPlan,
  settings: Settings,
): Promise<[here: number[], there: number[]]> {
  const figures: [number[], number[]] = [[], []];
  const subjects = [];
  try {
    for (const [index, side] of sides.entries()) {
      subjects.push(await startSubject(question, side.name, commands[index], settings));
    }
    for (const subject of question.cold || question.fresh ? [] : subjects) {
      await warm(question, subject, { ...settings, seconds: plan.warmup });
    }
    // A question that starts a server for each sample has no windows to cut.
    const pairs = question.fresh ? 1 : Math.max(1, Math.round(settings.seconds / WINDOW_SECONDS));
    const cut = { ...settings, seconds: settings.seconds / pairs };
    for (let i = 0; i < pairs; i++) {
      for (const which of (round + i) % 2 ? [1, 0] : [0, 1]) {
        figures[which].push((await question.measure(subjects[which], cut)).value);
      }
    }
  } finally {
    await Promise.all(subjects.map(({ server }) => server?.stop()));
  }
  return figures;
}

export function line({ question, unit, here, there, interval, verdict }: Comparison): string {
  const { low, middle, high } = interval;
  const percent = (ratio: number): string => `${ratio < 1 ? "−" : "+"}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;
  const figures = `${figure(here)} here, ${figure(there)} there, ${unit}`;
  return `${question.padEnd(16)}${verdict.padEnd(7)} cost ${percent(middle)} (${percent(low)} to ${percent(high)})   ${figures}`;
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync("git", ["-C", root, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (error) {
    if (args[0] === "rev-parse" || args[1] === "remove") return "";
    throw error;
  }
}

// npm run bench: ours beside its peers, in one run on one machine.
//
//   npm run bench                                   plaintext and json
//   npm run bench -- --quick                        every question, in under two minutes
//   npm run bench -- plaintext --peers slipway,deno,c --rounds 7
//   npm run bench -- plaintext --peers deno --cmd mine='node my-server.ts {port}'
//   npm run bench -- --against HEAD~5               is it better or worse than it was?
//   npm run bench -- --save                         every question, kept in docs/bench/
//
// docs/performance.md says how to read the table.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { against, FEWEST_ROUNDS, guarded } from "./against.ts";
import { compiled } from "./compiler.ts";
import { allowedCores } from "./cpu.ts";
import { inRoot, type Peer } from "./peer.ts";
import { choosePeers, commandPeer, peers, quickPeers, usualPeers } from "./peers.ts";
import type { Question } from "./question.ts";
import { loadQuestions, questionNames } from "./questions.ts";
import { table, writeResult } from "./report.ts";
import { ask } from "./rounds.ts";
import { keep, writePage } from "./save.ts";
import { canPin } from "./server.ts";
import { goAhead } from "./urgent.ts";

const help = `npm run bench -- [question…] [options]

  questions: ${questionNames.join(", ")}
             (all of them: all; plaintext and json when none is named)

  --quick              a few short rounds beside the nearest peers: every question, when
                       none is named, in under two minutes
  --rounds N           rounds each peer is sampled in
  --seconds S          length of one sample
  --peers a,b          of ${peers.map((peer) => peer.name).join(", ")}
                       (http: our server without the command line; compiled: by dist/slipway;
                       -2: on two cores)
  --cmd name='…{port}' a server of your own; {handler} is a module with a fetch export (repeatable)
  --against REV        ours here beside ours at a git revision: better, same or worse, each
                       with its interval; exit code 1 when something is worse. A round starts
                       both anew (8 at least, and when not said). Without questions:
                       ${guarded.join(", ")}
  --save               every question when none is named; tables, plots and samples go to
                       docs/bench/ (25 minutes)
  --cores S,L          cores for the server and the load generator
  --urgent             ahead of everything else on the machine (needs root)
  --out DIR            where the JSON goes (dist/bench)
`;

const QUICK_SECONDS = 0.15;
const AGAINST_SECONDS = 1;
const kept = inRoot("docs/bench");

/** Two, so that there is a spread; one of memory, which hardly has any and takes several seconds a peer. */
function quickRounds(question: Question): number {
  return question.cold ? 1 : 2;
}

function chooseCores(text: string | undefined): [number | null, number | null] {
  const cores = text ? text.split(",").map(Number) : allowedCores();
  if (text && (cores.length !== 2 || !cores.every(Number.isInteger))) throw new Error("--cores takes two numbers: 0,1");
  return canPin() && cores.length >= 2 ? [cores[0], cores[1]] : [null, null];
}

function positive(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new Error(`--${name} ${text}: give a number above 0, at most ${most}`);
  return value;
}

/** Runs the bench as the command line says; the exit code: 1 when a peer that is there failed. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      warmup: { type: "string" },
      peers: { type: "string" },
      cmd: { type: "string", multiple: true },
      cores: { type: "string" },
      urgent: { type: "boolean" },
      against: { type: "string" },
      save: { type: "boolean" },
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { quick = false, save = false } = values;
  const otherwise = values.against ? guarded : quick || save ? ["all"] : ["plaintext", "json"];
  const questions = await loadQuestions(positionals.length ? positionals : otherwise);
  const short = quick ? QUICK_SECONDS : values.against ? AGAINST_SECONDS : save ? 1 : 2;
  const seconds = positive("seconds", values.seconds, short, 60);
  const rounds = Math.ceil(positive("rounds", values.rounds, 0, 100));
  const warmup = positive("warmup", values.warmup, short, 60);
  const [serverCore, loadCore] = chooseCores(values.cores);
  const asked = values.peers === undefined ? null : choosePeers(values.peers.split(",").filter(Boolean));
  const extra = (values.cmd ?? []).map(commandPeer);
  const out = values.out ?? inRoot("dist/bench");

  if (values.against !== undefined && rounds > 0 && rounds < FEWEST_ROUNDS)
    throw new Error(`--rounds ${rounds}: --against needs ${FEWEST_ROUNDS} at least, or chance alone could decide`);

  if (values.urgent) goAhead();
  if (serverCore === null) console.log("not pinned: needs two cores and taskset; figures will be noisier");
  if (!compiled("load")) console.log("no C compiler: the load generator runs on node:net and may be the bottleneck");
  const directory = mkdtempSync(join(tmpdir(), "slipway-bench-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove); // an interrupted run comes by here only
  const settings = { seconds, serverCore, loadCore, quick };
  const terminal = process.stderr.isTTY;
  const progress = (text: string): void => void (terminal && process.stderr.write(`\r\x1b[K${text}`));
  let code = 0;
  try {
    if (values.against !== undefined) {
      const plan = { rounds: rounds || FEWEST_ROUNDS, warmup, settings, directory, out, progress };
      return await against(values.against, questions, plan);
    }
    for (const question of questions) {
      const why = question.missing?.();
      if (why !== undefined) {
        console.log(`${question.name}: not asked: ${why}\n`);
        continue;
      }
      const usual = question.peers ?? usualPeers;
      const applies = (peer: Peer): boolean => peer.applies?.(question.handlers) ?? true;
      const chosen = asked ?? choosePeers(quick ? quickPeers(usual, question.against) : usual).filter(applies);
      const plan = {
        peers: [...chosen, ...extra],
        rounds: rounds || (quick ? quickRounds(question) : (question.rounds ?? 5)),
        warmup,
        settings,
        directory,
        progress,
      };
      const result = await ask(question, plan);
      const path = writeResult(result, out);
      console.log(`${table(question, result)}\n${path}\n`);
      if (save) {
        keep(question, result, plan.peers, kept);
        await writePage(kept); // after each: half an hour's work is not lost to what comes later
      }
      if (result.peers.length === 0 || Object.keys(result.failed).length > 0) code = 1;
    }
    return code;
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

if (import.meta.main) {
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(`bench: ${error instanceof Error ? error.message : error}`);
      process.exit(1);
    },
  );
}

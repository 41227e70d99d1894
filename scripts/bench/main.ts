// npm run bench: ours beside its peers, in one run on one machine.
//
//   npm run bench                                   plaintext and json
//   npm run bench -- plaintext json --quick         a complete answer in under two minutes
//   npm run bench -- plaintext --peers slipway,deno,c --rounds 7
//   npm run bench -- plaintext --peers deno --cmd mine='node my-server.ts {port}'
//
// docs/performance.md says how to read the table.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compiled } from "./compiler.ts";
import { allowedCores } from "./cpu.ts";
import { commandPeer, peers, usualPeers } from "./peers.ts";
import type { Question } from "./question.ts";
import { table, writeResult } from "./report.ts";
import { ask, choosePeers } from "./rounds.ts";
import { canPin } from "./server.ts";
import { goAhead } from "./urgent.ts";

const questionsAt = new URL("questions/", import.meta.url);
const questionNames = readdirSync(questionsAt)
  .map((file) => file.replace(/\.ts$/, ""))
  .sort();

const help = `npm run bench -- [question…] [options]

  questions: ${questionNames.join(", ")}
             (plaintext and json when none is named)

  --quick              3 rounds of 1 s instead of 5 of 2 s
  --rounds N           rounds each peer is sampled in
  --seconds S          length of one sample
  --peers a,b          of ${peers.map((peer) => peer.name).join(", ")}
                       (http: our server without the command line; compiled: by dist/slipway)
  --cmd name='…{port}' a server of your own; {handler} is a module with a fetch export (repeatable)
  --cores S,L          cores for the server and the load generator
  --urgent             ahead of everything else on the machine (needs root)
  --out DIR            where the JSON goes (dist/bench)
`;

async function loadQuestions(names: readonly string[]): Promise<Question[]> {
  const unknown = names.find((name) => !questionNames.includes(name));
  if (unknown) throw new Error(`no question is called ${unknown}; there are ${questionNames.join(", ")}`);
  return Promise.all(names.map(async (name) => (await import(new URL(`${name}.ts`, questionsAt).href)).default));
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
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const questions = await loadQuestions(positionals.length ? positionals : ["plaintext", "json"]);
  const seconds = positive("seconds", values.seconds, values.quick ? 1 : 2, 60);
  const rounds = Math.ceil(positive("rounds", values.rounds, 0, 100));
  const warmup = positive("warmup", values.warmup, values.quick ? 1 : 2, 60);
  const [serverCore, loadCore] = chooseCores(values.cores);
  const asked = values.peers ? choosePeers(values.peers.split(",").filter(Boolean)) : null;
  const extra = (values.cmd ?? []).map(commandPeer);
  const out = values.out ?? fileURLToPath(new URL("../../dist/bench", import.meta.url));

  if (values.urgent) goAhead();
  if (serverCore === null) console.log("not pinned: needs two cores and taskset; figures will be noisier");
  if (!compiled("load")) console.log("no C compiler: the load generator runs on node:net and may be the bottleneck");
  const directory = mkdtempSync(join(tmpdir(), "slipway-bench-"));
  let code = 0;
  const terminal = process.stderr.isTTY;
  try {
    for (const question of questions) {
      const chosen = asked ?? choosePeers(question.peers ?? usualPeers);
      const result = await ask(question, {
        peers: [...chosen, ...extra],
        rounds: rounds || (values.quick ? 3 : (question.rounds ?? 5)),
        warmup,
        settings: { seconds, serverCore, loadCore },
        directory,
        progress: (text) => terminal && process.stderr.write(`\r\x1b[K${text}`),
      });
      const path = writeResult(result, out);
      console.log(`${table(question, result)}\n${path}\n`);
      if (result.peers.length === 0 || Object.keys(result.failed).length > 0) code = 1;
    }
    return code;
  } finally {
    rmSync(directory, { recursive: true, force: true });
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

// One question put to all its peers: servers started once and warmed, then
// rounds in which every peer is sampled in turn. The order rotates from round
// to round, so that no peer always follows the same neighbour, and ratios are
// taken within a round, so that drift of the machine cancels out.
import { join } from "node:path";
import { machineBusySeconds } from "./cpu.ts";
import { peers as known, type Peer } from "./peers.ts";
import type { Question, Sample, Settings, Subject } from "./question.ts";
import { freePort, type Server, startServer } from "./server.ts";

export interface PeerResult {
  readonly peer: string;
  readonly samples: readonly Sample[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** max ÷ min: 1 is no noise at all. */
  readonly spread: number;
  /** Median over the rounds of this peer's sample ÷ the other's in the same round. */
  readonly ratio: Readonly<Record<string, number>>;
  readonly extra: Readonly<Record<string, number>>;
}

export interface Result {
  readonly question: string;
  readonly title: string;
  readonly unit: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerResult[];
  /** Peers that are not there, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** Peers that are there and did not do what was asked, and how. */
  readonly failed: Readonly<Record<string, string>>;
  /** Share of one core that neither the server nor the load generator used, at its highest. */
  readonly otherLoad: number;
}

export interface Plan {
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly warmup: number;
  readonly settings: Settings;
  /** Where handler files go. */
  readonly directory: string;
  readonly progress: (text: string) => void;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Which peer goes when: round `round`'s order of `count` peers. */
export function order(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + round) % count);
}

export async function ask(question: Question, plan: Plan): Promise<Result> {
  const missing: Record<string, string> = {};
  const failed: Record<string, string> = {};
  const subjects: Subject[] = [];
  const samples = new Map<string, Sample[]>();
  let otherLoad = 0;

  /** Runs one step for a peer; a peer that fails is out from there on, and the others go on without it. */
  const attempt = async (peer: string, step: () => Promise<void>): Promise<void> => {
    if (peer in failed) return;
    try {
      await step();
    } catch (error) {
      failed[peer] = error instanceof Error ? error.message : String(error);
      samples.delete(peer);
    }
  };

  try {
    for (const { name, launch } of plan.peers) {
      const launched = launch(question.handlers, join(plan.directory, question.name, name));
      if ("missing" in launched) {
        missing[name] = launched.missing;
        continue;
      }
      await attempt(name, async () => {
        let server: Server | null = null;
        if (!question.fresh) {
          const port = await freePort();
          server = await startServer(launched.command(port), port, plan.settings.serverCore);
        }
        subjects.push({ peer: name, server, command: launched.command });
        samples.set(name, []);
      });
    }
    for (const subject of question.cold ? [] : subjects) {
      plan.progress(`${question.name}: warming ${subject.peer}`);
      await attempt(subject.peer, async () => {
        await question.measure(subject, { ...plan.settings, seconds: plan.warmup });
      });
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const index of order(subjects.length, round)) {
        const subject = subjects[index];
        plan.progress(`${question.name}: round ${round + 1} of ${plan.rounds}, ${subject.peer}`);
        await attempt(subject.peer, async () => {
          const busy = machineBusySeconds();
          const began = performance.now();
          const sample = await question.measure(subject, plan.settings);
          const seconds = (performance.now() - began) / 1000;
          samples.get(subject.peer)?.push(sample);
          const ours = ((sample.extra.busy ?? 0) + (sample.extra.loadBusy ?? 0)) / 100;
          if (ours > 0) otherLoad = Math.max(otherLoad, (machineBusySeconds() - busy) / seconds - ours);
        });
      }
    }
  } finally {
    plan.progress("");
    await Promise.all(subjects.map((subject) => subject.server?.stop()));
  }
  return {
    question: question.name,
    title: question.title,
    unit: question.unit,
    rounds: plan.rounds,
    seconds: plan.settings.seconds,
    peers: [...samples].map(([peer, own]) => summary(peer, own, samples)),
    missing,
    failed,
    otherLoad,
  };
}

function summary(peer: string, own: readonly Sample[], all: ReadonlyMap<string, readonly Sample[]>): PeerResult {
  const values = own.map((sample) => sample.value);
  const min = Math.min(...values);
  const max = Math.max(...values);
  const ratio: Record<string, number> = {};
  for (const [other, theirs] of all) {
    if (other !== peer) ratio[other] = median(values.map((value, round) => value / theirs[round].value));
  }
  const extra: Record<string, number> = {};
  for (const key of Object.keys(own[0]?.extra ?? {})) extra[key] = median(own.map((sample) => sample.extra[key]));
  return { peer, samples: own, median: median(values), min, max, spread: max / min, ratio, extra };
}

/** The peers asked for, in the order given; an unknown name says which there are. */
export function choosePeers(names: readonly string[]): Peer[] {
  return names.map((name) => {
    const peer = known.find((candidate) => candidate.name === name);
    if (!peer) throw new Error(`no peer is called ${name}; there are ${known.map((each) => each.name).join(", ")}`);
    return peer;
  });
}

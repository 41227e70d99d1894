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
  readonly missing: Readonly<Record<string, string>>;
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
  const subjects: Subject[] = [];
  const servers: Server[] = [];
  const samples = new Map<string, Sample[]>();
  let otherLoad = 0;
  try {
    for (const peer of plan.peers) {
      const launch = peer.launch(question.handlers, join(plan.directory, question.name, peer.name));
      if ("missing" in launch) {
        missing[peer.name] = launch.missing;
        continue;
      }
      const start = async (): Promise<Server> => {
        const port = await freePort();
        return startServer(launch.command(port), port, plan.settings.serverCore);
      };
      let server: Server | null = null;
      if (!question.fresh) {
        try {
          server = await start();
        } catch (error) {
          missing[peer.name] = error instanceof Error ? error.message : String(error);
          continue;
        }
        servers.push(server);
      }
      subjects.push({ peer: peer.name, server, start });
      samples.set(peer.name, []);
    }
    for (const subject of subjects) {
      plan.progress(`${question.name}: warming ${subject.peer}`);
      await question.measure(subject, { ...plan.settings, seconds: plan.warmup });
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const index of order(subjects.length, round)) {
        const subject = subjects[index];
        plan.progress(`${question.name}: round ${round + 1} of ${plan.rounds}, ${subject.peer}`);
        const busy = machineBusySeconds();
        const began = performance.now();
        const sample = await question.measure(subject, plan.settings);
        const seconds = (performance.now() - began) / 1000;
        samples.get(subject.peer)?.push(sample);
        const ours = ((sample.extra.busy ?? 0) + (sample.extra.loadBusy ?? 0)) / 100;
        if (ours > 0) otherLoad = Math.max(otherLoad, (machineBusySeconds() - busy) / seconds - ours);
      }
    }
  } finally {
    plan.progress("");
    await Promise.all(servers.map((server) => server.stop()));
  }
  return {
    question: question.name,
    title: question.title,
    unit: question.unit,
    rounds: plan.rounds,
    seconds: plan.settings.seconds,
    peers: [...samples].map(([peer, own]) => summary(peer, own, samples)),
    missing,
    otherLoad: Math.max(0, otherLoad),
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

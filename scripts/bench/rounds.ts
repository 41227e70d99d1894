// One question put to all its peers: servers started once and warmed, then
// rounds in which every peer is sampled in turn. The order rotates from round
// to round, so that no peer always follows the same neighbour, and ratios are
// taken within a round, so that drift of the machine cancels out.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peer.ts";
import type { Question, Sample, Settings, Subject } from "./question.ts";
import { freePort, ServerError, startServer } from "./server.ts";
import { median } from "./statistics.ts";

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
  /** The same of the question's second figure, where it has one. */
  readonly secondRatio?: Readonly<Record<string, number>>;
  readonly extra: Readonly<Record<string, number>>;
}

export interface Result {
  readonly question: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
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

/** How the peers say so. */
const PORT_TAKEN = /EADDRINUSE|address (already )?in use|port \d+ .*is taken|bind: /i;

/** Which peer goes when: round `round`'s order of `count` peers. */
export function order(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + round) % count);
}

/** The question's own settings: one whose servers may use every core is pinned nowhere. */
export function settingsFor(question: Question, settings: Settings): Settings {
  return question.unpinned ? { ...settings, serverCore: null, loadCore: null } : settings;
}

/** A running server for the question, or what starts one where each sample does so itself. */
export async function startSubject(
  question: Question,
  peer: string,
  command: (port: number) => string[],
  settings: Settings,
): Promise<Subject> {
  if (question.fresh) return { peer, server: null, command };
  const start = async (): Promise<Subject> => {
    const port = await freePort();
    const tls = question.handlers.tls !== undefined;
    return { peer, server: await startServer(command(port), port, settings.serverCore, tls), command };
  };
  try {
    return await start();
  } catch (error) {
    // Between our look and its listening somebody else on the machine may take the port.
    if (!(error instanceof ServerError) || !PORT_TAKEN.test(error.message)) throw error;
    return await start();
  }
}

export async function warm(question: Question, subject: Subject, settings: Settings): Promise<void> {
  await (question.warm?.(subject, settings) ?? question.measure(subject, settings));
}

export async function ask(question: Question, plan: Plan): Promise<Result> {
  const missing: Record<string, string> = {};
  const failed: Record<string, string> = {};
  const subjects: Subject[] = [];
  const samples = new Map<string, Sample[]>();
  const settings = settingsFor(question, plan.settings);
  let otherLoad = 0;

  /** Runs one step for a peer; a peer that fails is out from there on, and the others go on without it. */
  const attempt = async (peer: string, step: () => Promise<void>): Promise<void> => {
    if (peer in failed || peer in missing) return;
    try {
      await step();
    } catch (error) {
      failed[peer] = error instanceof Error ? error.message : String(error);
      samples.delete(peer);
    }
  };

  const directory = join(plan.directory, question.name);
  mkdirSync(directory, { recursive: true });
  const putAway = await question.prepare?.(directory, settings);
  try {
    plan.progress(`${question.name}: starting ${plan.peers.map(({ name }) => name).join(", ")}`);
    const starting = plan.peers.map(async ({ name, optional, launch }) => {
      const launched = launch(question.handlers, join(directory, name));
      if ("missing" in launched) {
        missing[name] = launched.missing;
        return null;
      }
      samples.set(name, []);
      let subject: Subject | null = null;
      await attempt(name, async () => {
        try {
          subject = await startSubject(question, name, launched.command, settings);
        } catch (error) {
          if (!optional || !(error instanceof ServerError)) throw error;
          missing[name] = error.gist;
          samples.delete(name);
        }
      });
      return subject;
    });
    for (const started of await Promise.all(starting)) if (started) subjects.push(started);
    for (const subject of question.cold ? [] : subjects) {
      plan.progress(`${question.name}: warming ${subject.peer}`);
      await attempt(subject.peer, async () => {
        await warm(question, subject, { ...settings, seconds: plan.warmup });
      });
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const index of order(subjects.length, round)) {
        const subject = subjects[index];
        plan.progress(`${question.name}: round ${round + 1} of ${plan.rounds}, ${subject.peer}`);
        await attempt(subject.peer, async () => {
          const sample = await question.measure(subject, settings);
          samples.get(subject.peer)?.push(sample);
          otherLoad = Math.max(otherLoad, sample.extra.otherLoad ?? 0);
        });
      }
    }
  } finally {
    plan.progress("");
    await Promise.all(subjects.map((subject) => subject.server?.stop()));
    await putAway?.();
  }
  return {
    question: question.name,
    title: question.title,
    unit: question.unit,
    better: question.better ?? "lower",
    rounds: plan.rounds,
    seconds: plan.settings.seconds,
    peers: [...samples].map(([peer, own]) => summary(peer, own, samples, question.ratioOf)),
    missing,
    failed,
    otherLoad,
  };
}

function summary(
  peer: string,
  own: readonly Sample[],
  all: ReadonlyMap<string, readonly Sample[]>,
  second: string | undefined,
): PeerResult {
  const values = own.map((sample) => sample.value);
  const min = Math.min(...values);
  const max = Math.max(...values);
  const ratios = (of: (sample: Sample) => number): Record<string, number> => {
    const ratio: Record<string, number> = {};
    for (const [other, theirs] of all) {
      if (other !== peer) ratio[other] = median(own.map((sample, round) => of(sample) / of(theirs[round])));
    }
    return ratio;
  };
  const extra: Record<string, number> = {};
  for (const key of Object.keys(own[0]?.extra ?? {})) extra[key] = median(own.map((sample) => sample.extra[key]));
  return {
    peer,
    samples: own,
    median: median(values),
    min,
    max,
    spread: max / min,
    ratio: ratios((sample) => sample.value),
    secondRatio: second ? ratios((sample) => sample.extra[second]) : undefined,
    extra,
  };
}

/** Runs the attacks: those that wait beside all others, those that measure by themselves, and what ends the server last. */
import {
  type Attack,
  type Baseline,
  type Context,
  describe,
  exchange,
  fail,
  isRefusal,
  type Outcome,
  type Seen,
  skip,
} from "./attack.ts";
import { chunkAttacks } from "./attacks/chunks.ts";
import { drain } from "./attacks/drain.ts";
import { framing } from "./attacks/framing.ts";
import { manners } from "./attacks/http.ts";
import { limits } from "./attacks/limits.ts";
import { afterwards, floods } from "./attacks/load.ts";
import { slowClients } from "./attacks/slow.ts";
import { tlsFacts } from "./attacks/tls.ts";
import { TargetError } from "./target.ts";
import type { Wires } from "./wire.ts";

/** In the order of the scorecard. */
export const attacks: readonly Attack[] = [
  ...slowClients,
  ...limits,
  ...framing,
  ...chunkAttacks,
  ...floods,
  afterwards,
  ...manners,
  ...tlsFacts,
  drain,
];

export interface Result {
  readonly attack: Attack;
  readonly outcome: Outcome;
  readonly seconds: number;
}

export interface RunOptions {
  readonly wires: Wires;
  readonly path: string;
  readonly uploadPath: string;
  readonly largePath: string | undefined;
  readonly pid: number | undefined;
  readonly quick: boolean;
  readonly signal: AbortSignal;
  /** Told whenever something has ended: how many of how many. */
  readonly progress: (done: number, all: number) => void;
  /** Which attacks; all by default. Tests choose. */
  readonly only?: (attack: Attack) => boolean;
}

/** So many framing attacks at once: each waits most of its time. */
const ABREAST = 8;

export async function runAttacks(options: RunOptions): Promise<Result[]> {
  const baseline = await measureBaseline(options);
  const context: Context = { ...options, host: options.wires.target.host, baseline };
  const { only = () => true } = options;
  const chosen = attacks.filter((attack) => only(attack) && applies(attack, options));
  const results = new Map<Attack, Result>();
  const run = async (attack: Attack): Promise<void> => {
    const began = performance.now();
    const outcome = await runOne(attack, context);
    results.set(attack, { attack, outcome, seconds: (performance.now() - began) / 1000 });
    options.progress(results.size, chosen.length);
  };
  const paced = (pace: Attack["pace"]): Attack[] => chosen.filter((attack) => attack.pace === pace);
  const waiting = Promise.all(paced("waiting").map(run));
  const queue = paced("brisk");
  const worker = async (): Promise<void> => {
    for (let attack = queue.shift(); attack !== undefined; attack = queue.shift()) await run(attack);
  };
  await Promise.all(Array.from({ length: ABREAST }, worker));
  for (const attack of paced("alone")) await run(attack);
  await waiting;
  for (const attack of paced("last")) await run(attack);
  return chosen.flatMap((attack) => results.get(attack) ?? []);
}

function applies(attack: Attack, { wires, pid, quick }: RunOptions): boolean {
  if (attack.family === "tls") return wires.target.secure;
  if (attack.family === "drain") return pid !== undefined;
  return attack.quick || !quick;
}

async function runOne(attack: Attack, context: Context): Promise<Outcome> {
  if (context.signal.aborted) return skip("the check ended before it began");
  try {
    return await attack.run(context);
  } catch (error) {
    if (context.signal.aborted) return skip("the check ended before it was known");
    // The server went away, or no longer accepts: whatever the attack was to show, that is worse.
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** The longest head and body that can be compared with; an attack may see several such answers on one connection. */
const MOST = 64 * 1024;

async function measureBaseline(options: RunOptions): Promise<Baseline> {
  const { wires, path, uploadPath } = options;
  const host = wires.target.host;
  const context = { wires } as Context;
  const ask = (line: string, rest: string): Promise<Seen> =>
    exchange(context, `${line}\r\nHost: ${host}\r\nConnection: close\r\n${rest}`, 10_000);
  const ordinary = await ask(`GET ${path} HTTP/1.1`, "\r\n");
  const [answer] = ordinary.answers;
  if (answer === undefined) {
    const hint = wires.target.secure ? "" : "; if it speaks TLS, write https://";
    throw new TargetError(`${wires.target.shown} gave no HTTP answer to an ordinary GET: ${describe(ordinary)}${hint}`);
  }
  if (isRefusal(answer) || answer.status >= 500) {
    throw new TargetError(
      `GET ${path} is answered with ${answer.status}: name a path that is served, with the URL or --path`,
    );
  }
  if (ordinary.bytes.length > MOST || !answer.whole) {
    throw new TargetError(
      `GET ${path} answers with more than 64 KiB: name a path with a small answer; --large-path is for large ones`,
    );
  }
  const posted = await ask(`POST ${uploadPath} HTTP/1.1`, "Content-Length: 5\r\n\r\nhello");
  const takesPost = posted.answers[0] !== undefined && !isRefusal(posted.answers[0]);
  const requestBytes = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`.length;
  return {
    status: answer.status,
    requestBytes,
    bytes: ordinary.bytes.length,
    bodyMethod: takesPost ? "POST" : "GET",
  };
}

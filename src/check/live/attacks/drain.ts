/**
 * SIGTERM under load. Only with `--pid`, and last, since it ends the server. The clients keep to the letter: they honour
 * `Connection: close`, connect anew after it, and retry nothing; a request that was sent and not answered is lost.
 */

import { field, readAnswers } from "../answers.ts";
import {
  type Attack,
  type Context,
  fail,
  isRefusal,
  type Outcome,
  pass,
  pause,
  showSeconds,
  skip,
  warn,
} from "../attack.ts";
import { running } from "../process.ts";
import type { Wire } from "../wire.ts";

const CLIENTS = 12;
const PIPELINED = 4;
const BURST = 40;
const LOAD_MS = 1_000;
/** DESIGN: 30 s in all, and a little for the process to end. */
const BOUND_MS = 35_000;

class Tally {
  answered = 0;
  afterSignal = 0;
  lost = 0;
  /** Sent behind a request whose answer said close: by RFC 9112, 9.6 the client knows that they were not processed. */
  behind = 0;
  refused = 0;
  signalled = false;
  example = "";
}

export const drain: Attack = {
  id: "drain/sigterm",
  family: "drain",
  name: "SIGTERM under load loses nothing",
  rule: "the production checklist; RFC 9112, 9.6",
  sent: `SIGTERM to --pid while ${CLIENTS} keep-alive clients send, and on ${BURST} idle connections more at that moment`,
  want: "every request that was sent is answered, and the process ends within 35 s",
  pace: "last",
  quick: true,
  async run(context) {
    const { pid } = context;
    if (pid === undefined) return skip("give --pid, and it ends that server");
    const tally = new Tally();
    const stop = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, i) => sendOn(context, tally, stop.signal, i));
    await pause(LOAD_MS, context.signal);
    if (context.signal.aborted) return skip("the check ended before it was known");
    const idle = await openIdle(context, tally);
    tally.signalled = true;
    const burst = idle.map((wire) => ask(wire, context, tally, PIPELINED));
    const began = performance.now();
    process.kill(pid, "SIGTERM");
    while (running(pid) && performance.now() - began < BOUND_MS && !context.signal.aborted) {
      await pause(20, context.signal);
    }
    const seconds = (performance.now() - began) / 1000;
    const ended = !running(pid);
    stop.abort();
    await Promise.race([Promise.all([...clients, ...burst]), pause(3_000, context.signal)]);
    return judge(tally, ended, seconds);
  },
};

function judge(tally: Tally, ended: boolean, seconds: number): Outcome {
  const counts = `${tally.answered} answered, ${tally.afterSignal} of them after SIGTERM, ${tally.lost} lost`;
  const came = `${counts}; ${ended ? `ended after ${showSeconds(seconds)}` : `still running after ${showSeconds(seconds)}`}`;
  if (tally.lost > 0) return fail(`${came}${tally.example}`);
  if (!ended) return fail(came);
  if (tally.answered === 0) return fail(`${came}: no load`);
  if (tally.behind > 0) return warn(`${came}; ${tally.behind} pipelined ones behind a close were not processed`);
  return tally.refused > 0 ? warn(`${came}; ${tally.refused} refused (503)`) : pass(came);
}

/** One client: sends, reads, connects anew when told to, until nobody listens any more. */
async function sendOn(context: Context, tally: Tally, signal: AbortSignal, index: number): Promise<void> {
  while (!signal.aborted && !context.signal.aborted) {
    let wire: Wire;
    try {
      wire = (await context.wires.open()).read();
    } catch {
      // Refused: nothing was sent, nothing is lost. While the server starts to drain it may still listen elsewhere.
      if (tally.signalled) return;
      await pause(5, context.signal);
      continue;
    }
    await serveOn(wire, context, tally, signal, index);
    wire.close();
  }
}

/** Requests on one connection, until it is closed. */
async function serveOn(wire: Wire, context: Context, tally: Tally, signal: AbortSignal, index: number) {
  const depth = index % 3 === 0 ? PIPELINED : 1;
  // The wire keeps the first 256 KiB: no more requests on it than are sure to fit.
  const most = Math.max(1, Math.floor(200_000 / context.baseline.bytes / depth));
  for (let round = 0; round < most && !signal.aborted && !wire.over; round++) {
    if (!(await ask(wire, context, tally, depth))) return;
    // A third of them think a little: their connections are idle as the signal comes, and their requests on the way.
    if (index % 3 === 1) await wire.ended(Math.random() * 8);
  }
}

/** Idle connections, each of which sends some requests at the very moment of the signal: those are surely on the way. */
async function openIdle(context: Context, tally: Tally): Promise<Wire[]> {
  const opened = await Promise.all(
    Array.from({ length: BURST }, async () => {
      const wire = (await context.wires.open()).read();
      await ask(wire, context, tally, 1);
      return wire;
    }),
  );
  return opened.filter((wire) => !wire.over);
}

/** Sends `depth` requests at once, counts their answers; whether the connection may be used again. */
async function ask(wire: Wire, context: Context, tally: Tally, depth: number): Promise<boolean> {
  const before = wire.received;
  const one = `GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n\r\n`;
  if (!(await wire.send(one.repeat(depth)))) {
    // It was closed while idle: the server never saw it, but a client that retries nothing loses it all the same.
    tally.lost += depth;
    tally.example = ": closed or reset before the request was read";
    return false;
  }
  const answers = () => readAnswers(wire.bytes.subarray(before), [], wire.end === "closed").final;
  const done = () => answers().filter(({ whole }) => whole).length;
  const closes = () => answers().some((answer) => /\bclose\b/i.test(field(answer, "connection") ?? ""));
  await wire.until(() => done() >= depth || (closes() && wire.end !== undefined), 20_000);
  const whole = answers().filter((answer) => answer.whole);
  tally.answered += whole.length;
  if (tally.signalled) tally.afterSignal += whole.length;
  tally.refused += whole.filter((answer) => answer.status === 503 || isRefusal(answer)).length;
  if (whole.length === depth) return !closes();
  if (closes()) tally.behind += depth - whole.length;
  else {
    tally.lost += depth - whole.length;
    tally.example = `: ${wire.end ?? "no answer"} with ${whole.length} of ${depth} answered`;
  }
  return false;
}

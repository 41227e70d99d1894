/**
 * Clients that take their time. Each waits on a connection of its own, all at once, and nothing is judged by what the
 * server says: only by when it lets go.
 */

import { field } from "../answers.ts";
import {
  type Attack,
  type Context,
  describe,
  fail,
  isRefusal,
  type Outcome,
  pass,
  pause,
  seen,
  showMiB,
  showSeconds,
  skip,
  warn,
} from "../attack.ts";
import type { Wire } from "../wire.ts";

/** Clocks of two machines' worth of jitter, and a server that looks once a second. */
const SLACK = 1.5;
/** How long a connection is watched for the table, once its bound has passed. */
const WATCH_SECONDS = 131;
const HEAD_SECONDS = 10;
const BODY_SECONDS = 40;
const IDLE_AT_LEAST_SECONDS = 60;
const IDLE_AT_MOST_SECONDS = 130;

interface Slow {
  readonly id: string;
  readonly name: string;
  readonly rule?: string;
  readonly sent: string;
  /** Seconds by which the connection must have ended. */
  readonly bound: number;
  /** Opens it in clear although the server speaks TLS. */
  readonly plain?: boolean;
  /** Sends what comes first, and then one byte a second of what `drip` gives, if it does. */
  begin(wire: Wire, context: Context): void | Promise<void>;
  drip?(second: number): string;
}

function slow({ id, name, rule, sent, bound, plain, begin, drip }: Slow): Attack {
  return {
    id: `slow/${id}`,
    family: "slow",
    name,
    rule: rule ?? "the production checklist",
    sent,
    want: `the connection has ended within ${bound} s`,
    pace: "waiting",
    quick: bound <= HEAD_SECONDS,
    async run(context) {
      using wire = (await context.wires.open(plain)).read();
      await begin(wire, context);
      const until = context.quick ? bound + SLACK : Math.max(WATCH_SECONDS, bound + SLACK);
      for (let second = 0; drip !== undefined && second < until && wire.end === undefined; second++) {
        if (context.signal.aborted) break;
        await wire.send(drip(second));
        await wire.ended(1000);
      }
      await wire.ended((until - wire.age / 1000) * 1000);
      if (context.signal.aborted && wire.end === undefined) return skip("the check ended before it was known");
      const came = describe(seen(wire));
      return wire.end !== undefined && wire.age / 1000 <= bound + SLACK ? pass(came) : fail(came);
    },
  };
}

const dripped: readonly Attack[] = [
  slow({
    id: "silent",
    name: "a connection that never speaks",
    sent: "nothing",
    bound: HEAD_SECONDS,
    plain: true,
    begin() {},
  }),
  slow({
    id: "partial-head",
    name: "half a request head, then silence",
    rule: "RFC 9110, 15.5.9",
    sent: "GET / HTTP/1.1⏎Host: localhost⏎X-",
    bound: HEAD_SECONDS,
    begin: async (wire, { path, host }) => void (await wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-`)),
  }),
  slow({
    id: "half-closed",
    name: "FIN before anything was said",
    sent: "FIN",
    bound: HEAD_SECONDS,
    begin: (wire) => wire.finish(),
  }),
  slow({
    id: "half-closed-head",
    name: "FIN in the middle of a head",
    sent: "GET / HTTP/1.1⏎Host: localhost⏎X-, FIN",
    bound: HEAD_SECONDS,
    async begin(wire, { path, host }) {
      await wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-`);
      await wire.finish();
    },
  }),
  slow({
    id: "dripped-head",
    name: "slowloris: a head of one byte a second",
    rule: "RFC 9110, 15.5.9",
    sent: "GET / HTTP/1.1⏎Host: localhost⏎X-Slow: and one byte a second",
    bound: BODY_SECONDS,
    begin: async (wire, { path, host }) => void (await wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `)),
    drip: () => "a",
  }),
  slow({
    id: "dripped-fields",
    name: "slowloris: a field line every few seconds",
    rule: "RFC 9110, 15.5.9",
    sent: "GET / HTTP/1.1⏎Host: localhost⏎ and X-a: b⏎, one byte a second",
    bound: BODY_SECONDS,
    begin: async (wire, { path, host }) => void (await wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`)),
    drip: (second) => "X-a: b\r\n"[second % 8],
  }),
  slow({
    id: "dripped-body",
    name: "a body of one byte a second",
    rule: "RFC 9110, 15.5.9",
    sent: "POST / with Content-Length: 100000 and one byte a second",
    bound: BODY_SECONDS,
    begin: async (wire, context) => void (await wire.send(post(context, "Content-Length: 100000"))),
    drip: () => "a",
  }),
  slow({
    id: "dripped-chunks",
    name: "a chunked body of one byte a second",
    rule: "RFC 9110, 15.5.9",
    sent: "POST / in chunks, one byte a second",
    bound: BODY_SECONDS,
    begin: async (wire, context) => void (await wire.send(post(context, "Transfer-Encoding: chunked"))),
    drip: (second) => "1\r\na\r\n"[second % 6],
  }),
  slow({
    id: "silent-body",
    name: "a body that never comes",
    rule: "RFC 9110, 15.5.9",
    sent: "POST / with Content-Length: 100000 and no body",
    bound: BODY_SECONDS,
    begin: async (wire, context) => void (await wire.send(post(context, "Content-Length: 100000"))),
  }),
];

function post({ uploadPath, host, baseline }: Context, framing: string): string {
  return `${baseline.bodyMethod} ${uploadPath} HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\n\r\n`;
}

const idle: Attack = {
  id: "slow/idle",
  family: "slow",
  name: "an idle keep-alive connection",
  rule: "RFC 9112, 9.5",
  sent: "GET /, its answer read, then silence",
  want: `kept for ${IDLE_AT_LEAST_SECONDS} s, ended within ${IDLE_AT_MOST_SECONDS} s`,
  pace: "waiting",
  quick: false,
  async run(context) {
    using wire = (await context.wires.open()).read();
    await wire.send(`GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n\r\n`);
    await wire.until(() => seen(wire).answers[0]?.whole === true, 10_000);
    await wire.ended(IDLE_AT_MOST_SECONDS * 1000 + 1500);
    if (context.signal.aborted && wire.end === undefined) return skip("the check ended before it was known");
    const came = describe(seen(wire));
    if (wire.end === undefined) return fail(came);
    return wire.age / 1000 >= IDLE_AT_LEAST_SECONDS - 1 ? pass(came) : warn(`${came}: clients have to connect anew`);
  },
};

/** Less fits into the buffers of both kernels and would prove nothing (tcp_wmem, tcp_rmem). */
const LARGE = 16 * 2 ** 20;

const stalledReader: Attack = {
  id: "slow/stalled-reader",
  family: "slow",
  name: "a large answer that nobody reads",
  rule: "the production checklist",
  sent: "GET of --large-path, and nothing of the answer is read",
  want: `cut within ${BODY_SECONDS} s`,
  pace: "waiting",
  quick: false,
  async run(context) {
    if (context.largePath === undefined) return skip("give --large-path, a path that answers with 16 MiB or more");
    using wire = await context.wires.open();
    await wire.send(`GET ${context.largePath} HTTP/1.1\r\nHost: ${context.host}\r\nConnection: close\r\n\r\n`);
    await pause((BODY_SECONDS + 1) * 1000, context.signal);
    if (context.signal.aborted) return skip("the check ended before it was known");
    // Whoever has been cut off finds a reset, or an end too early, behind what the kernels still held.
    wire.read();
    await wire.ended(20_000);
    const { answers, end } = seen(wire);
    const announced = Number(field(answers[0] ?? { fields: [] }, "content-length") ?? Number.NaN);
    const came = `${showMiB(wire.received)} after ${BODY_SECONDS + 1} s without reading, then ${end ?? "still sending"}`;
    if (end === "reset") return pass(came);
    if (answers.length > 0 && announced < LARGE) return skip(`${context.largePath} answers with ${showMiB(announced)}`);
    if (end === "closed" && (Number.isNaN(announced) ? wire.received < LARGE : wire.received < announced)) {
      return pass(came);
    }
    return fail(`${came}: it was kept all the time`);
  },
};

/** What is sent at most, and how long without progress means that the server has stopped reading. */
const FLOOD = 64 * 2 ** 20;
const STUCK_MS = 2_500;
const FLOOD_MS = 12_000;
/** Both kernels can hold this much of it unread: sysctl tcp_rmem and tcp_wmem, at their largest. */
const IN_FLIGHT = 38 * 2 ** 20;

/** Pipelines requests until the server stops reading them: what it answers meanwhile has to stay somewhere. */
const unreadPipeline: Attack = {
  id: "slow/unread-pipeline",
  family: "slow",
  name: "pipelined requests whose answers nobody reads",
  rule: "RFC 9112, 9.3.2",
  sent: "GET / again and again, and no answer is read",
  want: "the server stops reading, and cuts it within 40 s",
  pace: "waiting",
  quick: true,
  async run(context) {
    using wire = await context.wires.open();
    const one = `GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n\r\n`;
    const batch = Buffer.from(one.repeat(Math.ceil(65_536 / one.length)), "latin1");
    const outcome = await pressUntilStuck(wire, batch, context);
    if (outcome.verdict !== "pass" || context.quick || wire.over) return outcome;
    await pause(BODY_SECONDS * 1000 - wire.age, context.signal);
    if (context.signal.aborted) return skip("the check ended before it was known");
    wire.read();
    await wire.ended(6_000);
    const end = wire.end === undefined ? "still there after 40 s" : `${wire.end} after 40 s`;
    return wire.end === undefined ? fail(`${outcome.came}; ${end}`) : pass(`${outcome.came}; ${end}`);
  },
};

async function pressUntilStuck(wire: Wire, batch: Uint8Array, context: Context): Promise<Outcome> {
  let sent = 0;
  const until = performance.now() + FLOOD_MS;
  while (sent < FLOOD && performance.now() < until && !context.signal.aborted) {
    const writing = wire.send(batch);
    const stuck = pause(STUCK_MS, context.signal).then(() => "stuck" as const);
    const result = await Promise.race([writing, stuck]);
    if (result === "stuck") return pass(`it stopped reading after ${showMiB(sent)} of requests`);
    if (result === false) return pass(`it cut the connection after ${showMiB(sent)} of requests`);
    sent += batch.length;
  }
  if (context.signal.aborted) return skip("the check ended before it was known");
  const answers = (Math.max(0, sent - IN_FLIGHT) / context.baseline.requestBytes) * context.baseline.bytes;
  if (answers > 16 * 2 ** 20)
    return fail(`it took ${showMiB(sent)} of requests: some ${showMiB(answers)} of answers wait`);
  return warn(`still reading after ${showMiB(sent)} of requests in ${showSeconds(FLOOD_MS / 1000)}`);
}

const halfClosedRequest: Attack = {
  id: "slow/half-closed-request",
  family: "slow",
  name: "a request, then FIN: the answer still comes",
  rule: "RFC 9112, 9.6",
  sent: "GET / HTTP/1.1⏎Host: localhost⏎⏎, FIN",
  want: "its answer, then close within 10 s",
  pace: "waiting",
  quick: true,
  async run(context) {
    using wire = (await context.wires.open()).read();
    await wire.send(`GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n\r\n`);
    await wire.finish();
    await wire.ended((HEAD_SECONDS + SLACK) * 1000);
    const came = describe(seen(wire));
    if (wire.end === undefined) return fail(came);
    return seen(wire).answers.length === 1 ? pass(came) : warn(`${came}: taken for one that left`);
  },
};

/** What a poor line moves: far above any sensible minimum, far below what a body of this size needs within 30 s. */
const HONEST_RATE = 2 ** 20;
const HONEST_SECONDS = 45;
const PIECE = 64 * 1024;

const honestUpload: Attack = {
  id: "slow/honest-upload",
  family: "slow",
  name: "an honest upload over a slow line lives",
  rule: "RFC 9110, 15.5.9",
  sent: `POST of --upload-path, ${HONEST_SECONDS} MiB at 1 MiB a second`,
  want: "no 408 and no cut: a body that moves is not a dripped one",
  pace: "waiting",
  quick: false,
  async run(context) {
    if (context.uploadPath === context.path)
      return skip("give --upload-path, a path that reads the bodies of requests");
    using wire = (await context.wires.open()).read();
    const pieces = (HONEST_SECONDS * HONEST_RATE) / PIECE;
    await wire.send(post(context, `Connection: close\r\nContent-Length: ${pieces * PIECE}`));
    const piece = Buffer.alloc(PIECE, "a");
    let sent = 0;
    for (; sent < pieces && !wire.over; sent++) {
      if (!(await wire.send(piece))) break;
      await pause(((sent + 1) * PIECE * 1000) / HONEST_RATE - wire.age, context.signal);
    }
    await wire.ended(5_000);
    if (context.signal.aborted) return skip("the check ended before it was known");
    const came = `${describe(seen(wire))}, with ${showMiB(sent * PIECE)} sent`;
    const [answer] = seen(wire).answers;
    if (sent === pieces && answer?.whole && !isRefusal(answer)) return pass(came);
    return answer !== undefined && answer.status !== 408 ? warn(came) : fail(came);
  },
};

const honestDownload: Attack = {
  id: "slow/honest-download",
  family: "slow",
  name: "an honest download over a slow line lives",
  rule: "the production checklist",
  sent: "GET of --large-path, read at 1 MiB a second",
  want: `still sending after ${HONEST_SECONDS} s, or all of it`,
  pace: "waiting",
  quick: false,
  async run(context) {
    if (context.largePath === undefined) return skip("give --large-path, a path that answers with 16 MiB or more");
    using wire = await context.wires.open();
    await wire.send(`GET ${context.largePath} HTTP/1.1\r\nHost: ${context.host}\r\nConnection: close\r\n\r\n`);
    wire.read(HONEST_RATE);
    await wire.ended(HONEST_SECONDS * 1000);
    if (context.signal.aborted) return skip("the check ended before it was known");
    const came = `${showMiB(wire.received)}, ${wire.end ?? "still sending"} after ${showSeconds(wire.age / 1000)}`;
    if (wire.end === undefined) return wire.received > LARGE ? pass(came) : fail(`${came}: it has stopped`);
    const announced = Number(field(seen(wire).answers[0] ?? { fields: [] }, "content-length") ?? Number.NaN);
    return wire.end === "closed" && !(wire.received < announced) ? pass(came) : fail(came);
  },
};

export const slowClients: readonly Attack[] = [
  ...dripped,
  halfClosedRequest,
  unreadPipeline,
  stalledReader,
  honestUpload,
  honestDownload,
  idle,
];

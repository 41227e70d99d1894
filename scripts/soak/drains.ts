/**
 * SIGTERM under full load. The clients honour "Connection: close" and retry nothing: after it they send nothing more on
 * that connection, and open another one, until nobody listens. Every request that was sent on a connection that the
 * server had accepted must be answered whole; what is not is lost.
 *
 * A connection that the kernel opened for a listener that closes before it is accepted is reset by the kernel. A request
 * on it has reached no server: that is counted by itself.
 */
import { createHash } from "node:crypto";
import { pattern, pause } from "./clients.ts";
import { Random } from "./random.ts";
import { type Report, short } from "./report.ts";
import { Server } from "./server.ts";
import { percentile } from "./statistics.ts";
import { connect, Ended, get, type Wire, Wrong } from "./wire.ts";

interface Tally {
  sent: number;
  answered: number;
  /** Sentences: one for each request that was not answered as it should be. */
  readonly lost: string[];
  /** Requests that were the first of a connection that was reset before a byte came. */
  unaccepted: number;
  /** Answers that came after SIGTERM. */
  late: number;
}

interface Request {
  readonly bytes: Buffer | string;
  readonly body: Buffer | string;
}

const KEEP_ALIVE = 16;
const PIPELINED = 8;
const DEPTH = 16;
const UPLOADS = 4;
const SLOW = 4;
/** Clients that let their connections rest between requests, shorter than --drain-idle: they must not be cut off. */
const SPARSE = 8;
const REST_MS = 700;
/** Every third drain goes on accepting for so long, as behind a load balancer; clients go on opening connections. */
const DELAY_MS = 300;

export async function drains(rounds: number, seed: number, report: Report): Promise<void> {
  const random = new Random(seed);
  const all: Tally = { sent: 0, answered: 0, lost: [], unaccepted: 0, late: 0 };
  const codes = new Map<string, number>();
  const took: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const { tally, code, ms } = await drain(random, round % 3 === 0 ? DELAY_MS : 0);
    all.sent += tally.sent;
    all.answered += tally.answered;
    all.late += tally.late;
    all.unaccepted += tally.unaccepted;
    all.lost.push(...tally.lost);
    codes.set(String(code), (codes.get(String(code)) ?? 0) + 1);
    took.push(ms);
    const lost = tally.lost.length > 0 ? `, LOST ${tally.lost.length}: ${tally.lost[0]}` : "";
    const unaccepted = tally.unaccepted > 0 ? `, ${tally.unaccepted} on connections never accepted` : "";
    console.log(`  drain ${round}: ${tally.sent} sent, ${tally.late} answered after SIGTERM${unaccepted}${lost}; ${Math.round(ms)} ms, exit ${code}`); // biome-ignore format: one line
  }
  for (const line of all.lost.slice(0, 20)) console.log(`  lost: ${line}`);
  report.check("requests answered", all.answered, "> 0", all.answered > 0);
  report.check("of them after SIGTERM", all.late, "> 0", all.late > 0);
  report.atMost("requests lost", all.lost.length, 0);
  report.atMost("requests on connections that were reset unaccepted", all.unaccepted, 0);
  const good = codes.get("0") ?? 0;
  report.check("drains that ended with exit code 0", `${good} of ${rounds}`, "all", good === rounds);
  report.atMost("the longest, from SIGTERM to the end", percentile(took, 1), 30_000, " ms");
  console.log(`  from SIGTERM to the end: median ${short(percentile(took, 0.5))} ms`);
}

async function drain(random: Random, delay: number): Promise<{ tally: Tally; code: number | null; ms: number }> {
  const server = await Server.start({ flags: ["--drain-delay", `${delay}ms`] });
  const tally: Tally = { sent: 0, answered: 0, lost: [], unaccepted: 0, late: 0 };
  let terminated = false;
  try {
    const one = (
      name: string,
      count: number,
      make: (index: number) => Request,
      rest?: () => Promise<void>,
    ): Promise<void> => client(server.port, name, count, make, tally, () => terminated, rest);
    const clients = [
      ...Array.from({ length: KEEP_ALIVE }, (_, c) => one("keep-alive", 1, (i) => hello(`k${c}.${i}`))),
      ...Array.from({ length: PIPELINED }, (_, c) =>
        one("pipelined", DEPTH, (i) => (i % 5 === 3 ? bytes(`p${c}.${i}`) : hello(`p${c}.${i}`))),
      ),
      ...Array.from({ length: UPLOADS }, (_, c) => one("upload", 1, (i) => upload(`u${c}.${i}`))),
      ...Array.from({ length: SLOW }, (_, c) => one("slow", 1, (i) => slow(`s${c}.${i}`))),
      ...Array.from({ length: SPARSE }, (_, c) =>
        one(
          "sparse",
          1,
          (i) => hello(`r${c}.${i}`),
          () => pause(random.below(REST_MS)),
        ),
      ),
    ];
    await pause(150 + random.below(500));
    const began = performance.now();
    terminated = true;
    server.signal("SIGTERM");
    const code = await server.ended(40_000);
    const ms = performance.now() - began;
    // Nobody listens any more: they all end by themselves.
    await Promise.all(clients);
    return { tally, code, ms };
  } finally {
    await server.kill();
  }
}

const hello = (mark: string): Request => ({ bytes: get(`/hello?mark=${mark}`), body: `hello ${mark}` });
const bytes = (mark: string): Request => ({
  bytes: get(`/stream?size=20000&mark=${mark}`),
  body: pattern(20_000, mark),
});
const slow = (mark: string): Request => ({ bytes: get(`/slow?ms=300&mark=${mark}`), body: `slow ${mark}` });
function upload(mark: string): Request {
  const body = pattern(100_000, mark);
  const head = `POST /hash HTTP/1.1\r\nHost: soak\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { bytes: Buffer.concat([Buffer.from(head), body]), body: createHash("sha256").update(body).digest("hex") };
}

/** Sends `count` requests at a time and waits for their answers, until nobody listens. */
async function client(
  port: number,
  name: string,
  count: number,
  make: (index: number) => Request,
  tally: Tally,
  terminated: () => boolean,
  rest?: () => Promise<void>,
): Promise<void> {
  let wire: Wire | undefined;
  for (let index = 0; ; index += count) {
    await rest?.();
    try {
      wire ??= await connect(port);
    } catch (error) {
      if (!terminated()) tally.lost.push(`${name}: could not connect: ${error}`);
      return;
    }
    // The server may have closed an idle connection; who sees that before sending has lost nothing.
    if (wire.how !== undefined) {
      wire.socket.destroy();
      wire = undefined;
      index -= count;
      continue;
    }
    const batch = Array.from({ length: count }, (_, i) => make(index + i));
    const first = wire.received === 0;
    wire.write(Buffer.concat(batch.map((request) => Buffer.from(request.bytes))));
    tally.sent += count;
    let close = false;
    for (const [at, request] of batch.entries()) {
      try {
        const answer = await wire.answer();
        const right = answer.status === 200 && Buffer.compare(answer.body, Buffer.from(request.body)) === 0;
        if (!right) throw new Wrong(`${answer.status}, ${answer.body.toString("latin1", 0, 80)}`);
        tally.answered++;
        if (terminated()) tally.late++;
        close ||= answer.close;
      } catch (error) {
        const reset = error instanceof Ended && error.how === "ECONNRESET" && first && wire.received === 0;
        if (reset) tally.unaccepted += count - at;
        else for (let i = at; i < count; i++) tally.lost.push(`${name}, request ${i + 1} of ${count}${close ? " behind an answer with close" : ""}: ${error instanceof Error ? error.message : error}`); // biome-ignore format: one line
        close = true;
        break;
      }
    }
    if (close) {
      wire.socket.destroy();
      wire = undefined;
    }
  }
}

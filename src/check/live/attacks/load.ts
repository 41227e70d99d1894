/** Many at once: floods, resets, heads in crumbs. What counts is what other clients notice meanwhile, and afterwards. */
import {
  type Attack,
  type Context,
  describe,
  exchange,
  fail,
  type Outcome,
  pass,
  pause,
  seen,
  showMiB,
  skip,
  warn,
} from "../attack.ts";
import { Client, compare } from "../latency.ts";
import type { Wire } from "../wire.ts";

/** How many, and for how many milliseconds at most. */
const SAMPLES = [150, 1_200] as const;
const QUICK_SAMPLES = [80, 500] as const;
const ROUNDS = 3;

interface Flood {
  readonly id: string;
  readonly name: string;
  readonly sent: string;
  /** Quick and full. */
  readonly counts: readonly [number, number];
  readonly quick: boolean;
  begin(wire: Wire, context: Context, index: number): void;
  /** Called some times a second with all of them. */
  drip?(wires: readonly Wire[], round: number): void;
}

function flood({ id, name, sent, counts, quick, begin, drip }: Flood): Attack {
  return {
    id: `load/${id}`,
    family: "load",
    name,
    rule: "the production checklist",
    sent: `${sent}, up to ${counts[1]} connections (${counts[0]} with --quick), in ${ROUNDS} rounds`,
    want: "p99 of other clients at most doubles, give or take 20 ms; new clients are answered too",
    pace: "alone",
    quick,
    run: (context) => runFlood(context, context.quick ? counts[0] : counts[1], begin, drip),
  };
}

async function runFlood(context: Context, count: number, begin: Flood["begin"], drip: Flood["drip"]): Promise<Outcome> {
  const client = new Client(context);
  const quiet: number[] = [];
  const loaded: number[] = [];
  let most = 0;
  // Seconds that a new client waited: while the flood lasted, or, if it got no answer then, afterwards.
  let during: number | undefined;
  let afterwards: number | undefined;
  try {
    await client.samples(20, 500);
    const [samples, ms] = context.quick ? QUICK_SAMPLES : SAMPLES;
    const rounds = context.quick ? 2 : ROUNDS;
    for (let round = 0; round < rounds && !context.signal.aborted; round++) {
      quiet.push(...(await client.samples(samples, ms)));
      const wires = await openMany(context, count, begin);
      most = Math.max(most, wires.length);
      let rhythm = 0;
      const timer = setInterval(() => drip?.(wires, rhythm++), 250);
      loaded.push(...(await client.samples(samples, ms)));
      if (round === 0) during = await askAsNewcomer(context, context.quick ? 3_000 : 8_000);
      clearInterval(timer);
      for (const wire of wires) wire.close();
      if (round === 0 && during === undefined) {
        afterwards = await askAsNewcomer(context, 8_000);
        break;
      }
    }
  } finally {
    client.close();
  }
  if (context.signal.aborted) return skip("the check ended before it was known");
  const { verdict, came } = compare(quiet, loaded, client.lost);
  const shown = `${most} connections: ${came}`;
  if (during !== undefined || verdict === "fail") return { verdict, came: shown };
  if (afterwards === undefined) return fail(`${shown}; new clients got no answer, not even when it was over`);
  // Who is at the limit of its descriptors can only let them queue.
  return warn(`${shown}; new clients waited until it was over: is the limit of connections that low?`);
}

/** Opens as many as it can, some at a time; this process, or the server, may run out of descriptors. */
async function openMany(context: Context, count: number, begin: Flood["begin"]): Promise<Wire[]> {
  const wires: Wire[] = [];
  const until = performance.now() + 4_000;
  while (wires.length < count && performance.now() < until && !context.signal.aborted) {
    const size = Math.min(50, count - wires.length);
    const opened = await Promise.allSettled(Array.from({ length: size }, () => context.wires.open(true)));
    const made = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    made.forEach((wire, i) => {
      begin(wire, context, wires.length + i);
    });
    wires.push(...made);
    if (made.length < size) break;
  }
  return wires;
}

async function askAsNewcomer(context: Context, ms: number): Promise<number | undefined> {
  const client = new Client(context);
  try {
    return await client.request(ms);
  } catch {
    return undefined;
  } finally {
    client.close();
  }
}

const silentFlood = flood({
  id: "silent-flood",
  name: "a flood of connections that never speak",
  sent: "nothing",
  counts: [1_000, 2_000],
  quick: true,
  begin() {},
});

const drippingFlood = flood({
  id: "dripping-flood",
  name: "a flood of half-open and dripping heads",
  sent: "half a head, and on every second connection a byte a second",
  counts: [600, 2_000],
  quick: false,
  begin: (wire, { path, host }) => void wire.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `),
  drip(wires, round) {
    // A quarter of them each time, four times a second.
    for (let i = round % 4; i < wires.length; i += 4) if (i % 2 === 0) void wires[i].send("a");
  },
});

const resets: Attack = {
  id: "load/resets",
  family: "load",
  name: "connections that are reset at random moments",
  rule: "the production checklist",
  sent: "a request, a part of one or several, and a reset after 0 to 20 ms; 1,000 times (400 with --quick)",
  want: "other clients are answered meanwhile, and afterwards",
  pace: "alone",
  quick: true,
  async run(context) {
    const client = new Client(context);
    try {
      const quiet = await client.samples(...SAMPLES);
      const count = context.quick ? 400 : 1_000;
      let left = count;
      const worker = async (): Promise<void> => {
        while (left-- > 0 && !context.signal.aborted) await resetOne(context).catch(() => {});
      };
      const workers = Promise.all(Array.from({ length: 20 }, worker));
      const loaded = await client.samples(600, context.quick ? 1_500 : 3_000);
      await workers;
      const after = await client.samples(20, 5_000);
      if (context.signal.aborted) return skip("the check ended before it was known");
      if (after.length < 20) return fail(`after ${count} resets it no longer answers`);
      const { verdict, came } = compare(quiet, loaded, client.lost);
      return { verdict, came: `${count} resets: ${came}` };
    } finally {
      client.close();
    }
  },
};

async function resetOne(context: Context): Promise<void> {
  using wire = await context.wires.open();
  const request = `GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n\r\n`;
  const part = request.repeat(1 + Math.floor(Math.random() * 3));
  void wire.send(Math.random() < 0.3 ? part.slice(0, -3) : part);
  // Closing with answers unread, or before they come, resets the connection.
  if (Math.random() < 0.7) await pause(Math.random() * 20, context.signal);
}

const CRUMBS = 12_000;
const WHOLE_PART = 900 * 1024;

const crumbs: Attack = {
  id: "load/crumbs",
  family: "load",
  name: "a head of 1 MiB whose end comes in segments of one byte",
  rule: "the production checklist",
  sent: `GET / with 900 KiB of fields at once, then ${CRUMBS} segments of one byte`,
  want: "refused (431) or cut within 10 s, and other clients notice nothing: a head is not read anew for each segment",
  pace: "alone",
  quick: true,
  async run(context) {
    const client = new Client(context);
    try {
      await client.samples(20, 500);
      const quiet = await client.samples(...SAMPLES);
      using wire = (await context.wires.open()).read();
      const fields = `X: ${"a".repeat(8_000)}\r\n`.repeat(Math.floor(WHOLE_PART / 8_005));
      await wire.send(`GET ${context.path} HTTP/1.1\r\nHost: ${context.host}\r\n${fields}X-Crumbs: `);
      let sent = 0;
      const sending = (async () => {
        while (sent < CRUMBS && wire.end === undefined && !context.signal.aborted) {
          if (!(await wire.send("a"))) break;
          sent++;
          // A turn for the server between two, so that they come one by one.
          if (sent % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const loaded = await client.samples(600, context.quick ? 2_000 : 4_000);
      await sending;
      await wire.ended(Math.max(500, 11_000 - wire.age));
      if (context.signal.aborted) return skip("the check ended before it was known");
      const head = `${describe(seen(wire))}, ${showMiB(WHOLE_PART + sent)} sent`;
      const { verdict, came } = compare(quiet, loaded, client.lost);
      if (wire.end === undefined) return fail(`${head}; ${came}`);
      return { verdict, came: `${head}; ${came}` };
    } finally {
      client.close();
    }
  },
};

/**
 * A head that grows until it is refused, and goes on. A server that keeps what comes then for whoever gets the
 * connection's place puts letters before that one's method: "aaaHEAD" is a method as well, but answered with a body.
 */
const strangers: Attack = {
  id: "load/strangers",
  family: "load",
  name: "what comes behind a refusal reaches nobody else",
  rule: "RFC 9112, 11.2",
  sent: "GET / with a field of 3 MiB, on 4 connections; then HEAD / on 8 new ones; 10 times",
  want: "every HEAD is answered as always",
  pace: "alone",
  quick: true,
  async run(context) {
    const { path, host } = context;
    const endless = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX: ${"a".repeat(3 * 2 ** 20)}`, "latin1");
    const request = `HEAD ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const ask = async (): Promise<string> => {
      const { answers, bytes, end } = await exchange(context, request, 3_000, ["HEAD"]);
      const body = bytes.length - Buffer.from(bytes).indexOf("\r\n\r\n") - 4;
      return answers.length === 0 ? `no answer, ${end}` : `${answers[0].status} with ${body} bytes of body`;
    };
    const usual = await ask();
    const wrong: string[] = [];
    let asked = 0;
    for (let round = 0; round < 10 && !context.signal.aborted; round++) {
      const refused = await Promise.all(Array.from({ length: 4 }, () => context.wires.open()));
      for (const wire of refused) void wire.read().send(endless);
      await Promise.all(refused.map((wire) => wire.until(() => wire.received > 0, 500)));
      for (const wire of refused) wire.close();
      const results = await Promise.all(Array.from({ length: 8 }, ask));
      asked += results.length;
      wrong.push(...results.filter((result) => result !== usual));
    }
    if (context.signal.aborted) return skip("the check ended before it was known");
    const came = `${asked - wrong.length} of ${asked} answered as always: ${usual}`;
    return wrong.length === 0 ? pass(came) : fail(`${came}; but one: ${wrong[0]}`);
  },
};

/** Whether the server is still there, after everything. */
const alive: Attack = {
  id: "load/alive",
  family: "load",
  name: "full service after all of it",
  rule: "the production checklist",
  sent: "50 requests on 50 connections",
  want: "50 answers like the first",
  pace: "alone",
  quick: true,
  async run(context) {
    const results = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const client = new Client(context);
        const took = await client.request(5_000).catch(() => undefined);
        client.close();
        return took;
      }),
    );
    const answered = results.filter((took) => took !== undefined).length;
    return answered === 50 ? pass("50 of 50 answered") : fail(`${answered} of 50 answered`);
  },
};

export const floods: readonly Attack[] = [silentFlood, drippingFlood, crumbs, resets, strangers];
export const afterwards: Attack = alive;

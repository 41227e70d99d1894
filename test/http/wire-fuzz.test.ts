// What the parser makes of bytes is what a client gets: the corpus, and inputs made from it, over real connections in
// random pieces. The handler is called for the requests that the parser reads, in their order, with their bodies; each
// is answered; what is refused is refused with the parser's status, and nothing behind it is served.
//
// SLIPWAY_SEED repeats a run, SLIPWAY_COUNT (1,500) makes it longer.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runtime } from "../../src/runtime/turn.ts";
import { connect } from "./support/client.ts";
import { corpus, mutate } from "./support/corpus.ts";
import { generate } from "./support/generate.ts";
import type { Reading } from "./support/llhttp.ts";
import { readWithOurs } from "./support/ours.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { parseResponses, type RawResponse } from "./support/responses.ts";
import { logged, start } from "./support/server.ts";

const COUNT = Number(process.env["SLIPWAY_COUNT"] ?? 1500);
const AT_ONCE = 25;
const EXPECTS = /\r\nexpect: *100-continue\r\n/i;

const server = start(async (request) => {
  const body = Buffer.from(await request.bytes()).toString("latin1");
  return new Response(JSON.stringify([request.method, body]));
});
test.after(() => server.server.close());

/** Sends it in these pieces, and compares what comes with what `reading` says. */
async function check(bytes: Buffer, cuts: readonly number[], what: string): Promise<void> {
  const reading: Reading = readWithOurs(bytes);
  const said = `${what}, cut at ${cuts}: ${JSON.stringify(bytes.toString("latin1", 0, 1000))}`;
  using client = await connect(server.port);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to > from) client.write(bytes.subarray(from, to));
    from = to;
    // A turn, so that the pieces come as pieces.
    await new Promise((resolve) => setImmediate(resolve));
  }
  // A head that can't become one any more is refused when its end comes, or twice its bytes: not at each drip.
  if (reading.end === "refused") client.write("\r\n\r\n");
  const whole = reading.messages.filter(({ complete }) => complete);
  const methods = reading.messages.map(({ method }) => method);
  // A GET's handler does not wait for its body, and may have answered before that is refused.
  const last = reading.messages.at(-1);
  const early = last !== undefined && !last.complete && (last.method === "GET" || last.method === "HEAD");
  let refused = reading.end === "refused" && !early ? 1 : 0;
  let answers: readonly RawResponse[] = [];
  try {
    if (reading.end === "open" || early) {
      await client.until(() => (answers = finals(client.bytes, methods)).length >= whole.length, "the answers");
      answers = answers.slice(0, whole.length);
    } else answers = (await client.untilEnd(methods)).filter(({ status }) => status >= 200);
  } catch (error) {
    // A client that goes on sending after its own "close" may be reset, but not before it has its answers.
    if (reading.end !== "closed" || client.error === undefined) throw new Error(`${said}: ${(error as Error).message}`);
    answers = finals(client.bytes, methods);
    // io_uring sends and closes at the end of a turn: what came meanwhile makes a reset of the close, and the client,
    // which had promised to send nothing more (RFC 9112, 9.6), may lose the last answer.
    if (runtime().poller.name === "uring" && answers.length === whole.length - 1) whole.pop();
  }
  // A GET that waits for "100 Continue" is answered without it where its body has not come yet, and then its client may
  // or may not send that: the connection ends with the answer (RFC 9110, 10.1.1).
  const final = answers.at(-1);
  const ended = answers.length < whole.length + refused && final?.header("connection") === "close";
  if (ended && EXPECTS.test(bytes.toString("latin1")) && methods[answers.length - 1] !== "POST") {
    whole.length = answers.length;
    refused = 0;
  }
  assert.is(answers.length, whole.length + refused, said);
  for (const [i, { method, body }] of whole.entries()) {
    assert.is(answers[i].status, 200, said);
    // A GET's body is read, and dropped: a Request has none there (Fetch, 5.3).
    if (method !== "HEAD") assert.equal(JSON.parse(answers[i].text()), [method, method === "GET" ? "" : body], said);
  }
  if (refused > 0) assert.is(answers[whole.length].status, Number(reading.reason.slice(0, 3)), said);
}

const finals = (bytes: Buffer, methods: readonly string[]): RawResponse[] =>
  parseResponses(bytes, methods, false).responses.filter(({ status }) => status >= 200);

function randomCuts(random: Random, length: number): number[] {
  const count = random.chance(0.3) ? 0 : 1 + random.below(5);
  return Array.from({ length: count }, () => random.below(length + 1)).sort((a, b) => a - b);
}

async function all(inputs: readonly (() => Promise<void>)[]): Promise<void> {
  await logged(async () => {
    for (let i = 0; i < inputs.length; i += AT_ONCE)
      await Promise.all(inputs.slice(i, i + AT_ONCE).map((run) => run()));
  });
}

test(`the ${corpus.length} inputs of the corpus`, async () => {
  const random = new Random(1);
  await all(
    corpus.map(
      ({ name, bytes }) =>
        () =>
          check(bytes, randomCuts(random, bytes.length), name),
    ),
  );
});

test(`${COUNT} others`, async () => {
  const seed = chooseSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  await all(
    Array.from({ length: COUNT }, (_, i) => {
      const bytes = random.chance(0.5) ? generate(random) : mutate(random);
      const cuts = randomCuts(random, bytes.length);
      return () => check(bytes, cuts, `seed ${seed}, input ${i}`);
    }),
  );
});

test.run();

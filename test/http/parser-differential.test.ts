// Our parser against two others on 100,000 inputs, half of them generated, half made from the corpus (test/http/corpus):
//
//   - the grammar of the RFCs (support/rfc9112.ts): we never take what it does not, or take it to mean something else;
//   - llhttp, node:http's, strict: every difference falls into a class that is named here with the clause that it rests
//     on. This is the list of intended differences.
//
// Compared are methods, targets, versions, the number of fields, bodies, where each request ends, whether the connection
// goes on; and that nothing changes when the bytes come in pieces.
//
//   SLIPWAY_SEED=7 node test/http/parser-differential.test.ts           repeats a run
//   SLIPWAY_COUNT=Infinity node test/http/parser-differential.test.ts   goes on until something is found
//
// What a run finds is kept as a file in dist/fuzz, to be named and put into the corpus.
import { mkdirSync, writeFileSync } from "node:fs";
import { METHODS } from "node:http";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { corpus, mutate } from "./support/corpus.ts";
import { generate } from "./support/generate.ts";
import { type Message, type Reading, readWithLlhttp } from "./support/llhttp.ts";
import { readWithOurs } from "./support/ours.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { looserThanTheRfc, readByTheRfc } from "./support/rfc9112.ts";

const COUNT = Number(process.env["SLIPWAY_COUNT"] ?? 100_000);
/** Found inputs that are kept, at most: the first ones tell. */
const KEPT = 20;

/** Where we refuse and llhttp does not: our reason, and what it rests on. */
const STRICTER: Readonly<Record<string, string>> = {
  "400 missing Host": "RFC 9112, 3.2: 400 to an HTTP/1.1 request without Host",
  "400 repeated Host": "RFC 9112, 3.2: 400 to more than one Host line",
  "400 invalid Host": "RFC 9112, 3.2: 400 to an invalid Host; in an absolute-form, RFC 9110, 4.2.4: no userinfo",
  "400 empty Host": "RFC 9110, 4.2.1: an http URI with an empty host is invalid",
  "400 malformed request target":
    "RFC 9112, 3.2: one of four forms, and a URI's characters; 400 without trying to repair",
  '400 target "*" without OPTIONS': "RFC 9112, 3.2.4: asterisk-form is for OPTIONS only",
  "400 Transfer-Encoding in HTTP/1.0": "RFC 9112, 6.1: its framing is faulty, close",
  "400 invalid Transfer-Encoding": "RFC 9112, 6.3: chunked is not the final coding, 400 and close",
  "400 repeated Transfer-Encoding": "RFC 9112, 6.1: chunked is applied once at most, so two lines can't be right",
  "501 transfer coding not supported": "RFC 9112, 6.1: 501 to a coding that is not understood",
  "400 invalid Content-Length": "RFC 9110, 8.6: 1*DIGIT, and no overflow: beyond 16 digits or 2^53 is refused",
  "400 repeated Content-Length": "RFC 9112, 6.3: llhttp takes a second one that is empty",
  "400 malformed chunked body": "RFC 9112, 7.1: no overflow of chunk sizes: beyond 13 digits is refused",
  "505 only HTTP/1.1 and HTTP/1.0 are spoken here": "RFC 9110, 15.6.6: llhttp takes HTTP/0.9 and HTTP/2.0 for requests",
  "400 malformed version": "RFC 9112, 3: single SP, and HTTP only (2.3); llhttp takes two spaces, ICE and RTSP",
  "400 malformed method": "RFC 9112, 2.2: one CRLF may come before a request line; llhttp takes any CR and LF",
  "400 bare CR": "RFC 9112, 2.2: a bare CR is invalid; llhttp takes it before a request line",
  "417 unknown expectation": "RFC 9110, 10.1.1: 417 to any expectation but 100-continue",
  "501 CONNECT is not supported": "RFC 9110, 9.3.6: CONNECT is for proxies",
};

/** Where llhttp refuses, or ends elsewhere, and we do not. */
const LOOSER: readonly { readonly name: string; fits(ours: Message, text: string, theirs: Reading): boolean }[] = [
  {
    name: "any token is a method (RFC 9110, 9.1); what a handler makes of it is its own matter. llhttp has a list",
    fits: (ours) => ours.method === "PRI" || !METHODS.includes(ours.method),
  },
  {
    name: '"close" beside "keep-alive" closes (RFC 9112, 9.3); llhttp keeps an HTTP/1.0 connection',
    fits: (ours, text) => !ours.keepAlive && ours.version === "1.0" && /^Connection:.*close/im.test(text),
  },
  {
    name: "spaces around the parts of a chunk extension must be parsed (RFC 9112, 7.1.1); llhttp refuses them",
    fits: (_ours, text, theirs) => theirs.reason === "HPE_STRICT" && /^[0-9a-f]+;.*[ \t]/im.test(text),
  },
  {
    name: "trailer fields are dropped unread (RFC 9110, 6.5.1), whatever their names; llhttp minds Content-Length there",
    fits: (_ours, text, theirs) =>
      /^HPE_(INVALID|UNEXPECTED)_(CONTENT_LENGTH|TRANSFER_ENCODING)$/.test(theirs.reason) &&
      /^0+(;.*)?\r\n(.+\r\n)*(Content-Length|Transfer-Encoding):/im.test(text),
  },
  {
    name: "Proxy-Connection is no field of HTTP (RFC 9112, C.2.2); llhttp takes it for Connection",
    fits: (ours, text) => ours.keepAlive && /^Proxy-Connection:/im.test(text),
  },
  {
    name: "nor does Connection there close a connection (RFC 9110, 6.5.1: a trailer must not change the routing of messages)",
    fits: (_ours, text, theirs) =>
      theirs.reason === "HPE_CLOSED_CONNECTION" && /\r\n0+(;.*)?\r\n(.+\r\n)*(Proxy-)?Connection:/im.test(text),
  },
  {
    name: "a tab behind a value is white space like any other (RFC 9112, 5.1); llhttp takes it for a part of the coding",
    fits: (_ours, text, theirs) =>
      theirs.reason === "HPE_INVALID_TRANSFER_ENCODING" && /^Transfer-Encoding:[ \t]*chunked[ \t]*\t/im.test(text),
  },
];

const same = (a: Message | undefined, b: Message | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.method === b.method &&
  a.target === b.target &&
  a.version === b.version &&
  a.fields === b.fields &&
  a.keepAlive === b.keepAlive &&
  a.body === b.body &&
  a.complete === b.complete;

const HIDDEN =
  "not to be compared: Node hides llhttp's errors behind a request for an upgrade (the RFC's grammar judges)";

/** The class of a pair of readings; undefined for a difference that has none. */
function classify(ours: Reading, theirs: Reading, text: string): string | undefined {
  const most = Math.max(ours.messages.length, theirs.messages.length);
  let at = 0;
  while (at < most && same(ours.messages[at], theirs.messages[at])) at++;
  if (ours.end === "refused" && at >= ours.messages.length - 1) {
    if (theirs.end === "refused") return "both refuse";
    const rests = STRICTER[ours.reason];
    if (rests !== undefined) return `stricter: ${ours.reason} (${rests})`;
  }
  if (at === most && ours.end === theirs.end) return "the same";
  if (theirs.upgrades && at > 0 && at === theirs.messages.length && theirs.end === "open") return HIDDEN;
  let message: Message | undefined = ours.messages[at] ?? ours.messages[at - 1];
  // Nothing reached a handler: it still wants bytes of a head that llhttp refuses at once. What if they come?
  const heads = theirs.messages.filter((each) => each.complete).length;
  if (theirs.end === "refused" && ours.end === "open" && ours.messages.length <= heads) {
    const completed = readWithOurs(Buffer.from(`${text}\r\n\r\n\r\n\r\n`, "latin1"));
    if (completed.end === "refused") return "refused later";
    message = completed.messages[ours.messages.length];
  }
  const looser = LOOSER.find((candidate) => message !== undefined && candidate.fits(message, text, theirs));
  return looser && `looser: ${looser.name}`;
}

/** All that is asked of one input; the class of its difference to llhttp, or what is wrong with it. */
function judge(bytes: Buffer, cuts: readonly number[]): { found: string } | { wrong: string } {
  const ours = readWithOurs(bytes);
  const inPieces = readWithOurs(bytes, cuts);
  if (JSON.stringify(ours) !== JSON.stringify(inPieces)) {
    return { wrong: `cut at ${cuts}\n  whole  ${JSON.stringify(ours)}\n  pieces ${JSON.stringify(inPieces)}` };
  }
  const rfc = readByTheRfc(bytes);
  const looser = looserThanTheRfc(ours, rfc);
  if (looser !== undefined) {
    return { wrong: `looser than the RFC: ${looser}\n  ours ${JSON.stringify(ours)}\n  RFC  ${JSON.stringify(rfc)}` };
  }
  const theirs = readWithLlhttp(bytes);
  const found = classify(ours, theirs, bytes.toString("latin1"));
  if (found !== undefined) return { found };
  return { wrong: `no class of difference\n  ours   ${JSON.stringify(ours)}\n  llhttp ${JSON.stringify(theirs)}` };
}

const show = (bytes: Buffer): string => JSON.stringify(bytes.toString("latin1", 0, 1500));

test(`${COUNT} inputs`, () => {
  const seed = chooseSeed();
  console.log(`\nseed ${seed} (SLIPWAY_SEED=${seed} repeats this run)`);
  const random = new Random(seed);
  const counts = new Map<string, number>();
  const strange: string[] = [];
  for (let i = 0; i < COUNT && strange.length < KEPT; i++) {
    const bytes = random.chance(0.5) ? generate(random) : mutate(random);
    const cuts = Array.from({ length: 1 + random.below(6) }, () => random.below(bytes.length + 1)).sort(
      (a, b) => a - b,
    );
    const verdict = judge(bytes, cuts);
    if ("found" in verdict) counts.set(verdict.found, (counts.get(verdict.found) ?? 0) + 1);
    else strange.push(`${keep(bytes, seed, i)}: ${verdict.wrong}\n  ${show(bytes)}`);
    if (COUNT === Number.POSITIVE_INFINITY && i % 1_000_000 === 999_999) console.log(`${i + 1} inputs`);
  }
  for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1]))
    console.log(`${String(count).padStart(7)} ${name}`);
  assert.is(strange.length, 0, `seed ${seed}, ${strange.length} found:\n${strange.slice(0, 5).join("\n")}`);
  // The generators reach what they are there for.
  assert.ok((counts.get("the same") ?? 0) > COUNT / 8, "too few are read alike");
  assert.ok((counts.get("both refuse") ?? 0) > COUNT / 8, "too few are refused alike");
});

/** Leaves a found input in dist/fuzz; returns where. */
function keep(bytes: Buffer, seed: number, index: number): string {
  const folder = join(import.meta.dirname, "../../dist/fuzz");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${seed}-${index}.http`);
  writeFileSync(path, bytes);
  return path;
}

test(`the ${corpus.length} inputs of the corpus are read, or refused, as their names say; however they are cut`, () => {
  assert.ok(corpus.length > 100);
  for (const { name, bytes, status, requests } of corpus) {
    const ours = readWithOurs(bytes);
    const line = `${name}: ${JSON.stringify(ours).slice(0, 500)}`;
    if (status > 0) {
      assert.ok(ours.reason.startsWith(`${status} `), line);
      // What is refused was not served before, and nothing behind it is.
      assert.not.ok(
        ours.messages.some((message) => message.target.includes("smuggled") && message.complete),
        line,
      );
    } else {
      assert.is.not(ours.end, "refused", line);
      assert.is(ours.messages.filter((message) => message.complete).length, requests, line);
    }
    const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
    const verdict = judge(bytes, everywhere);
    assert.ok("found" in verdict, "wrong" in verdict ? `${name}: ${verdict.wrong}` : "");
    if (bytes.length > 2000) continue;
    for (let cut = 0; cut <= bytes.length; cut++)
      assert.equal(readWithOurs(bytes, [cut]), ours, `${name} cut at ${cut}`);
  }
});

test("a request cut at each place is read as the whole", () => {
  const text =
    "POST http://example.com:8080/a?b HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\nX:  y \r\n\r\n" +
    '5;a="b\\"c";d\r\nhello\r\n10 \r\n'.replace(" ", "") +
    "0123456789abcdef\r\n0;x=y\r\nTrailer: z\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\nGET /";
  const bytes = Buffer.from(text, "latin1");
  const whole = readWithOurs(bytes);
  assert.is(whole.messages.length, 2);
  assert.equal(readWithLlhttp(bytes), whole);
  for (let cut = 0; cut <= bytes.length; cut++) assert.equal(readWithOurs(bytes, [cut]), whole);
  const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
  assert.equal(readWithOurs(bytes, everywhere), whole);
});

test("Proxy-Connection means nothing (RFC 9112, C.2.2), though llhttp heeds it", () => {
  const bytes = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n");
  assert.is(readWithOurs(bytes).messages[0].keepAlive, true);
  assert.is(readWithLlhttp(bytes).messages[0].keepAlive, false);
});

test.run();

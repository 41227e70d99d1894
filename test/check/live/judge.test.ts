// How framing attacks are judged, and the scorecard that is made of it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readAnswers } from "../../../src/check/live/answers.ts";
import type { Attack, Seen, Verdict } from "../../../src/check/live/attack.ts";
import { judge, showBytes, type Want } from "../../../src/check/live/attacks/framing-case.ts";
import { compare, quantile } from "../../../src/check/live/latency.ts";
import { attacks, type Result } from "../../../src/check/live/run.ts";
import { failed, render, score, toJson } from "../../../src/check/live/scorecard.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const BAD = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

function saw(text: string, end: Seen["end"]): Seen {
  const bytes = Buffer.from(text, "latin1");
  const { final, interim } = readAnswers(bytes, [], end === "closed");
  return { answers: final, interim, end, seconds: 0, bytes };
}

test("answers are read by length, by chunks, and to the end", () => {
  const text = `HTTP/1.1 100 Continue\r\n\r\n${OK}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\nHTTP/1.0 404 No\r\n\r\nrest`;
  const { final, interim } = readAnswers(Buffer.from(text), [], true);
  assert.equal(interim, [100]);
  assert.equal(
    final.map(({ status, whole, body }) => [status, whole, Buffer.from(body).toString()]),
    [
      [200, true, "hi"],
      [200, true, "ab"],
      [404, true, "rest"],
    ],
  );
});

test("answers that are cut, or none at all, are seen as such", () => {
  for (const text of [
    OK.slice(0, -1),
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
    "HTTP/1.1 200 OK\r\n\r\nto the end",
  ]) {
    assert.equal(
      readAnswers(Buffer.from(text)).final.map(({ whole }) => whole),
      [false],
      text,
    );
  }
  assert.equal(readAnswers(Buffer.from("SSH-2.0-x\r\n\r\n")).final, []);
  assert.equal(readAnswers(Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), ["HEAD"]).final[0].whole, true);
});

test("framing: who serves what stands behind a fault fails", () => {
  const cases: [Want, string, Seen["end"], Verdict][] = [
    ["refuse", BAD, "closed", "pass"],
    ["refuse", "", "closed", "warn"],
    ["refuse", "", "reset", "warn"],
    ["refuse", "", undefined, "fail"],
    ["refuse", OK + OK, "closed", "fail"],
    ["refuse", OK, "closed", "fail"],
    ["refuse", BAD + OK, "closed", "fail"],
    ["close", BAD, "closed", "pass"],
    ["close", OK, "closed", "warn"],
    ["close", OK, undefined, "fail"],
    ["close", OK + OK, "closed", "fail"],
    ["body", OK, "closed", "pass"],
    ["body", OK + BAD, "closed", "pass"],
    ["body", OK, undefined, "warn"],
    ["body", OK + OK, "closed", "fail"],
    ["lenient", BAD, "closed", "pass"],
    ["lenient", OK + OK, "closed", "warn"],
    ["lenient", OK + OK + OK, "closed", "fail"],
    ["legal", OK + OK, "closed", "pass"],
    ["legal", BAD, "closed", "warn"],
    ["legal", OK, "closed", "fail"],
    ["legal", OK + OK + OK, "closed", "fail"],
    ["legal", OK + BAD, "closed", "fail"],
  ];
  for (const [want, text, end, verdict] of cases) {
    const outcome = judge(want, saw(text, end));
    assert.is(outcome.verdict, verdict, `${want}: ${outcome.came}`);
  }
});

test("every attack has an id of its own, a rule, and fits into a line", () => {
  assert.is(new Set(attacks.map(({ id }) => id)).size, attacks.length);
  for (const { id, name, rule, sent, want, family } of attacks) {
    assert.ok(id.startsWith(`${family}/`), id);
    for (const text of [name, rule, sent, want]) {
      assert.ok(text.length > 0 && text.length < 220 && !/[\x00-\x1f]/.test(text), `${id}: ${text}`);
    }
  }
  assert.is(showBytes("a\r\n\0\x0b"), "a⏎\\x00\\x0b");
});

test("latency: doubled is fine, ten times is not, and lost answers never are", () => {
  const quiet = Array.from({ length: 100 }, () => 2);
  const of = (ms: number): number[] => Array.from({ length: 100 }, () => ms);
  assert.is(compare(quiet, of(3), 0).verdict, "pass");
  assert.is(compare(quiet, of(20), 0).verdict, "pass"); // within what a shared machine adds
  assert.is(compare(quiet, of(40), 0).verdict, "warn");
  assert.is(compare(quiet, of(400), 0).verdict, "fail");
  assert.is(compare(quiet, of(2), 1).verdict, "fail");
  assert.is(compare(quiet, [], 0).verdict, "fail");
  assert.is(quantile([3, 1, 2], 0.5), 2);
});

const attack = (id: string): Attack => {
  const found = attacks.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no attack ${id}`);
  return found;
};
const result = (id: string, verdict: Verdict): Result => ({
  attack: attack(id),
  outcome: { verdict, came: `what ${id} came to` },
  seconds: 1,
});

test("the scorecard: grades, what failed first, then everything with the peers beside it", () => {
  const results = [
    result("slow/silent", "pass"),
    result("slow/idle", "skip"),
    result("framing/cl-te", "fail"),
    result("framing/te-cl", "warn"),
  ];
  assert.equal(
    score(results).map(({ family, grade, points, of }) => [family, grade, points, of]),
    [
      ["slow", "A", 1, 1],
      ["framing", "F", 0.5, 2],
    ],
  );
  assert.ok(failed(results));
  assert.not.ok(failed(results.slice(0, 2)));
  const peers = {
    date: "2026-01-02",
    machine: "a machine",
    peers: [
      { name: "Other", version: "1.2", results: { "slow/silent": { verdict: "fail", came: "still open" } } },
      { name: "Third", version: "", missing: "not measured here", results: {} },
    ],
  } as const;
  const shown = { target: "http://localhost/", seconds: 3, quick: false, results, peers, color: false, verbose: true };
  const text = render(shown);
  assert.ok(text.indexOf("FAIL  Content-Length beside") < text.indexOf("Every attack"), text);
  assert.match(text, /Other 1\.2, Third not measured here: measured by .* on 2026-01-02/);
  assert.match(text, /^ {2}a connection that never speaks +PASS {2}FAIL$/m);
  assert.match(text, /slow\/silent\n {8}sent .*\n {8}want .*\n {8}came .*\n {8}Other: FAIL {2}still open/);
  assert.match(
    text,
    /FAIL {2}1 passed, 1 failed, 1 to look at, 1 skipped\. Of the same attacks defaults fail: Other 1\./,
  );
  const short = render({ ...shown, verbose: false });
  assert.match(short, /^ {2}A {2}Slow clients .* 1 of 1$/m, "a line a family");
  assert.match(short, /^ {2}FAIL {2}Content-Length beside .*\n {8}sent .*\n {8}want .*\n {8}came /m);
  assert.match(short, /^ {2}WARN /m);
  assert.not.match(short, /PASS {2}a connection|skip {2}|In detail|Every attack,/);
  assert.match(short, /^FAIL {2}1 passed, 1 failed.*\n {6}--verbose shows every attack/m);
  assert.is(toJson({ ...shown, verbose: false }), toJson(shown));
  const json = JSON.parse(toJson(shown));
  assert.is(json.failed, true);
  assert.is(json.attacks[0].peers.Other.came, "still open");
  assert.is(json.attacks[2].rule, "RFC 9112, 6.1 and 6.3");
});

test.run();

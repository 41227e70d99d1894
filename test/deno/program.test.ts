// time limit: 240 s
// One substantial program written for Deno: under Deno, under `slipway run` and compiled it gives the same answers.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { multipart } from "../support/framework.ts";
import { fromSource, repository, run, temporaryFolder } from "../support/process.ts";
import { type Answers, answersOf, type Question, sameAnswers } from "../support/questions.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/guestbook.ts");
const env = { GUESTBOOK_MOOD: "fine", NO_COLOR: "1" };

/** In this order: some leave something behind for the next. */
const questions: readonly Question[] = [
  { path: "/" },
  { path: "/", method: "HEAD" },
  { path: "/hello/Ada" },
  { path: "/hello/J%C3%B6rg%20M" },
  { path: "/menu" },
  { path: "/env" },
  { path: "/query?a=1&b=two%20words&c=%C3%BC" },
  { path: "/headers", headers: { accept: "text/x", "x-many": ["1", "2"] } },
  { path: "/echo", method: "POST", body: "round trip", headers: { "content-type": "text/plain" } },
  { path: "/echo", method: "POST", body: Buffer.alloc(300_000, "0123456789") },
  { path: "/json", method: "POST", body: '{"items":[1,2,3.5]}' },
  { path: "/json", method: "POST", body: "{not json" },
  { path: "/form", method: "POST", ...multipart },
  {
    path: "/form",
    method: "POST",
    body: "name=A+B&x=1",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  },
  { path: "/sha", method: "POST", body: Buffer.alloc(100_000, 7) },
  { path: "/count/5" },
  { path: "/count/2000" },
  { path: "/zipped" },
  { path: "/events" },
  { path: "/shout/hey" },
  { path: "/notes/first", method: "PUT", body: "a note with ümlaut" },
  { path: "/notes/second", method: "PUT", body: "" },
  { path: "/notes/first" },
  { path: "/notes" },
  { path: "/notes/second", method: "DELETE" },
  { path: "/notes/second" },
  { path: "/notes/second", method: "DELETE" },
  { path: "/broken" },
  { path: "/thrown" },
  { path: "/cookies", headers: { cookie: "c=3; d=4" } },
  { path: "/cookies" },
  { path: "/redirect" },
  { path: "/bytes" },
  { path: "/empty" },
  { path: "/peer" },
  { path: "/request?q=1" },
  { path: "/system" },
  { path: "/errors" },
  { path: "/nothing/here" },
  { path: "/menu", method: "PATCH", body: "x" },
];

const options = { env, ready: /^ready: tcp 127\.0\.0\.1 (\d+)$/m };

async function answers(command: readonly string[]): Promise<Answers> {
  const given = await answersOf(command, questions, options);
  assert.is(given.code, 0, given.stderr);
  assert.match(given.stdout, /bye\n$/);
  return given;
}

const test = suite("a program written for Deno");
if (denoProgram !== undefined) {
  const expected = answers([denoProgram, "run", "-A", "--no-config", program, "one", "two"]);
  expected.catch(() => {});
  test("answers under slipway run as under Deno", async () => {
    sameAnswers(questions, await answers([...fromSource, "run", program, "--", "one", "two"]), await expected);
  });
  test("answers when compiled as under Deno", async () => {
    const folder = temporaryFolder();
    const binary = await slipwayBinary();
    const compiled = join(folder, "guestbook");
    const made = await run([
      binary,
      "compile",
      program,
      "-o",
      compiled,
      "--include",
      join(repository, "test/deno/programs/data"),
    ]);
    assert.is(made.code, 0, made.stderr);
    sameAnswers(questions, await answers([compiled, "--", "one", "two"]), await expected);
  });
} else {
  skip(test, "answers as under Deno", noDeno);
}
test.run();

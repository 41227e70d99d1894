// time limit: 240 s
// One substantial program written for Deno: under Deno, under `slipway run` and compiled it gives the same answers.
import { createHash } from "node:crypto";
import { request } from "node:http";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run, type Started, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/guestbook.ts");
const env = { GUESTBOOK_MOOD: "fine", NO_COLOR: "1" };

interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

const form = [
  "--cut",
  'Content-Disposition: form-data; name="name"',
  "",
  "Ada",
  "--cut",
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  "Content-Type: text/plain",
  "",
  "some text",
  "--cut--",
  "",
].join("\r\n");

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
  { path: "/form", method: "POST", body: form, headers: { "content-type": "multipart/form-data; boundary=cut" } },
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

/** What differs from run to run, and how connection and body are framed, which each server decides for itself. */
const varying = ["date", "connection", "keep-alive", "content-length", "transfer-encoding"];

/** The server's answer as far as it is the program's. */
async function ask(port: number, { method = "GET", path, headers = {}, body }: Question): Promise<object> {
  const { promise, resolve, reject } = Promise.withResolvers<object>();
  const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, async (response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const rest = { ...response.headers };
      for (const name of varying) delete rest[name];
      const port = /127\.0\.0\.1:\d+/g;
      if (rest.location !== undefined) rest.location = rest.location.replace(port, "HOST");
      const text = bytes.length > 2000 ? createHash("sha256").update(bytes).digest("hex") : bytes.toString("latin1");
      resolve({ status: response.statusCode, reason: response.statusMessage, headers: rest, body: text });
    } catch (error) {
      reject(error);
    }
  });
  sent.on("error", reject);
  sent.setTimeout(20_000, () => sent.destroy(new Error(`${method} ${path}: no answer in 20 s`)));
  sent.end(body);
  return promise;
}

async function ready(started: Started): Promise<number> {
  const [, port] = await started.saw(/^ready: tcp 127\.0\.0\.1 (\d+)$/m);
  return Number(port);
}

async function answersOf(command: readonly string[]): Promise<object[]> {
  const started = start(command, { env });
  const port = await ready(started);
  const answers: object[] = [];
  for (const question of questions) answers.push(await ask(port, question));
  const { code, stdout, stderr } = await started.stop();
  assert.is(code, 0, stderr);
  assert.match(stdout, /bye\n$/);
  return answers;
}

function same(answers: readonly object[], expected: readonly object[]): void {
  for (const [index, question] of questions.entries()) {
    assert.equal(answers[index], expected[index], `${question.method ?? "GET"} ${question.path}`);
  }
}

const test = suite("a program written for Deno");
if (denoProgram !== undefined) {
  const expected = answersOf([denoProgram, "run", "-A", "--no-config", program, "one", "two"]);
  expected.catch(() => {});
  test("answers under slipway run as under Deno", async () => {
    same(await answersOf([...fromSource, "run", program, "--", "one", "two"]), await expected);
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
    same(await answersOf([compiled, "--", "one", "two"]), await expected);
  });
} else {
  skip(test, "answers as under Deno", noDeno);
}
test.run();

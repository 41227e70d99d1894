// time limit: 240 s
// Programs of node:http, unchanged: Express and Fastify answer, and Oak's build for Node does, as under Node alone.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, fromSource, repository, run, temporaryFolder } from "../support/process.ts";
import { answersOf, type Question, sameAnswers } from "../support/questions.ts";

const json = { "content-type": "application/json" };
const get = (path: string, headers: Question["headers"] = {}): Question => ({ path, headers });
const post = (path: string, body: string, headers: Question["headers"] = json): Question => ({
  method: "POST",
  path,
  body,
  headers,
});

const questions: readonly Question[] = [
  get("/express/users/7?a=1&b[c]=2"),
  post("/express/echo", '{"a":1}'),
  post("/express/echo", "a=1&b=2", { "content-type": "application/x-www-form-urlencoded" }),
  post("/express/echo", "{broken"),
  post("/express/echo", JSON.stringify({ long: "x".repeat(100) })),
  get("/express/cookie"),
  get("/express/file", { range: "bytes=2-5" }),
  get("/express/files/note.txt"),
  get("/express/files/none.txt"),
  get("/express/stream"),
  get("/express/throws"),
  get("/express/nowhere"),
  get("/fastify/users/7?a=1"),
  post("/fastify/valid", '{"title":"t"}'),
  post("/fastify/valid", "{}"),
  post("/fastify/valid", JSON.stringify({ title: "x".repeat(100) })),
  get("/fastify/stream"),
  get("/fastify/throws"),
  get("/fastify/deep/inner"),
  get("/fastify/nowhere"),
  get("/oak/users/7?q=x"),
  post("/oak/echo", '{"a":1}'),
  post("/oak/echo", "{broken"),
  get("/oak/cookies", { cookie: "a=1" }),
  get("/oak/redirect"),
  get("/oak/throws"),
  { method: "PUT", path: "/oak/echo", body: "x" },
  get("/oak/nowhere"),
];

const test = suite("Express, Fastify and Oak, unchanged");
test.after(endProcesses);

test("answers as under Node, run and compiled, with one line about what they miss, and a clean end", async () => {
  const app = join(repository, "test/frameworks/apps/node-http.ts");
  const compiled = join(temporaryFolder(), "app");
  const [expected, given, made] = await Promise.all([
    answersOf([process.execPath, app, "0"], questions),
    answersOf([...fromSource, "run", app, "--", "0"], questions),
    run([await slipwayBinary(), "compile", app, "-o", compiled, "--include", join(app, "../public")]),
  ]);
  assert.is(made.code, 0, made.stderr);
  const sealed = await answersOf([compiled, "--", "0"], questions);
  for (const [name, one] of Object.entries({ run: given, compiled: sealed })) {
    assert.is(one.code, 0, one.stderr);
    assert.is(one.stderr.match(/this program listens with node:http/g)?.length, 1, `${name}: ${one.stderr}`);
    sameAnswers(questions, one, expected);
  }
});

test.run();

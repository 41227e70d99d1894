import assert from "node:assert/strict";
import { openapi } from "./api.ts";

// The server itself, on a free port, over a database in memory.
Deno.env.set("DATABASE", ":memory:");
const { default: app } = await import("./server.ts");
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {} }, app.fetch);
Deno.test.afterAll(() => server.shutdown());

const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.addr.port}${path}`, init);
const send = (method: string, path: string, body: unknown, type = "application/json") =>
  ask(path, { method, body: JSON.stringify(body), headers: { "content-type": type } });

Deno.test("a note's life", async () => {
  const made = await send("POST", "/notes", { title: "milk" });
  assert.equal(made.status, 201);
  const { id, done } = await made.json();
  assert.equal(made.headers.get("location"), `/notes/${id}`);
  assert.equal(done, false);
  const changed = await (await send("PATCH", `/notes/${id}`, { done: true })).json();
  assert.deepEqual([changed.title, changed.done], ["milk", true]);
  assert.deepEqual(await (await ask("/notes?limit=1")).json(), [changed]);
  assert.deepEqual(await (await ask(`/notes?after=${id}`)).json(), []);
  assert.equal((await ask(`/notes/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await ask(`/notes/${id}`)).status, 404);
});

Deno.test("says what is wrong with a body", async () => {
  const wrong: [unknown, RegExp][] = [
    [{}, /'title' is missing/],
    [{ title: "" }, /title must have at least 1 character/],
    [{ title: "x".repeat(201) }, /title must have at most 200/],
    [{ title: 7 }, /title must be a string/],
    [{ title: "x", done: "yes" }, /done must be true or false/],
    [{ title: "x", owner: "me" }, /'owner' is not known/],
    [[], /must be an object/],
    [null, /must be an object/],
  ];
  for (const [body, said] of wrong) {
    const answer = await send("POST", "/notes", body);
    assert.equal(answer.status, 422);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.match((await answer.json()).detail, said);
  }
  assert.equal((await ask("/notes", { method: "POST", body: "{" })).status, 415);
  const json = { "content-type": "application/json" };
  assert.equal((await ask("/notes", { method: "POST", body: "{", headers: json })).status, 400);
});

Deno.test("values are never part of the SQL", async () => {
  const title = "'); DROP TABLE notes; --";
  const { id } = await (await send("POST", "/notes", { title })).json();
  assert.equal((await (await ask(`/notes/${id}`)).json()).title, title);
  assert.equal((await ask("/notes/1%20OR%201=1")).status, 404);
  assert.equal((await ask("/notes?limit=1000")).status, 400);
});

Deno.test("OpenAPI tells of every route", async () => {
  assert.deepEqual(await (await ask("/openapi.json")).json(), openapi);
  assert.deepEqual(Object.keys(openapi.paths), ["/notes", "/notes/{id}"]);
});

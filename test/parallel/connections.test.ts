// Who gets which connection: the same number each, none for who is held up, all of them within one limit.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses } from "../support/process.ts";
import { Client, oneEach, openMany, serve, shared } from "./support.ts";

test("connections are spread evenly, whether they come at once or one by one", async () => {
  const server = await serve();
  const at_once = await openMany(server.port, 100);
  assert.ok(shared(at_once.map(({ thread }) => thread)));
  for (const { client } of at_once) client.close();
  for (let i = 0; i < 5; i++) assert.ok(shared((await openMany(server.port, 20)).map(({ thread }) => thread)));
  await server.stop();
});

test("as connections end, who has fewer gets the next ones", async () => {
  const server = await serve();
  const first = await openMany(server.port, 20);
  const [{ thread }] = first;
  const gone = first.filter((one) => one.thread === thread);
  for (const { client } of gone) client.close();
  await Promise.all(gone.map(({ client }) => client.closed));
  // The server has seen them go once one of the others, of the same thread, could be told; so ask on a new connection.
  const next: string[] = [];
  for (let i = 0; i < 10; i++) next.push(await new Client(server.port).get());
  assert.ok(next.filter((one) => one === thread).length >= 8, next.join(" "));
  await server.stop();
});

test("a worker that is held up gets none, and what it was given goes to the other", async () => {
  const server = await serve();
  const [a, b] = await oneEach(server.port);
  const blocked = a.client.get("/spin");
  blocked.catch(() => {});
  const answers = await openMany(server.port, 10);
  assert.ok(answers.every(({ thread }) => thread === b.thread));
  server.child.kill("SIGKILL");
  await server.finished;
});

test("maxConnections is for all workers together", async () => {
  const server = await serve(["--max-connections", "5"]);
  const five = await openMany(server.port, 5);
  const sixth = new Client(server.port);
  let answered = false;
  const answer = sixth.get().then((thread) => {
    answered = true;
    return thread;
  });
  await server.saw(/5 connections are open, as many as maxConnections allows/);
  // Those that are in are served meanwhile.
  assert.is((await Promise.all(five.map(({ client }) => client.get()))).length, 5);
  assert.not(answered);
  five[0].client.close();
  assert.match(await answer, /^\d+$/);
  await server.stop();
});

test.after(endProcesses);
test.run();

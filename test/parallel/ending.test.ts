// The end: every worker drains, nothing is lost, and the exit code says what was cut.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, type Server } from "../support/process.ts";
import { Client, openMany, serve, serveExecutable } from "./support.ts";

for (const [name, begin] of [
  ["from source", serve],
  ["as an executable", serveExecutable],
] as const) {
  test(`${name}: what runs in each worker is finished, idle connections are closed, exit code 0`, async () => {
    const server = await begin();
    const many = await openMany(server.port, 8);
    const answers = many.slice(0, 6).map(({ client }) => client.get("/slow"));
    server.child.kill("SIGTERM");
    assert.is((await Promise.all(answers)).length, 6);
    for (const { client } of many.slice(0, 6)) assert.match(client.last, /^connection: close$/im);
    await Promise.all(many.map(({ client }) => client.closed));
    assert.is((await server.finished).code, 0);
  });

  test(`${name}: past drainTimeout what is left in any of them is cut: exit code 1`, async () => {
    const server = await begin(["--drain-timeout", "300ms"]);
    const many = await openMany(server.port, 4);
    for (const { client } of many) client.get("/hang").catch(() => {});
    // A request behind it, on another connection, has been read when this is answered.
    await openMany(server.port, 4);
    server.child.kill("SIGTERM");
    const { code, stderr } = await server.finished;
    assert.is(code, 1);
    assert.match(stderr, /"message":"4 still at work [\d.]+ s after SIGTERM: cut \(drainTimeout\)"/);
  });
}

test("clients that connect and ask all the while lose nothing by a drain with a delay", async () => {
  const server = await serve(["--drain-delay", "500ms"]);
  let answered = 0;
  const lost: string[] = [];
  let ended = false;
  const ask = async (): Promise<void> => {
    while (!ended) {
      const client = new Client(server.port);
      const connected = new Promise<boolean>((resolve) => {
        client.socket.once("connect", () => resolve(true));
        void client.closed.then(() => resolve(false));
      });
      if (!(await connected)) return; // nobody listens any more
      try {
        await client.get();
        answered++;
      } catch (error) {
        lost.push((error as Error).message);
      }
      client.close();
    }
  };
  const clients = Array.from({ length: 16 }, ask);
  await openMany(server.port, 50);
  server.child.kill("SIGTERM");
  const { code } = await server.finished;
  ended = true;
  await Promise.all(clients);
  assert.is(code, 0);
  assert.ok(answered > 50);
  assert.equal(lost, []);
});

test("a second signal ends it at once, whatever the workers are at", async () => {
  const server = await serve();
  const [{ client }] = await openMany(server.port, 2);
  client.get("/spin").catch(() => {});
  await openMany(server.port, 2);
  await signalled(server, "SIGTERM");
  server.child.kill("SIGTERM");
  const { code } = await server.finished;
  assert.is(code, 143);
});

/** The first signal is heard when answers say so: two that come at once are one. */
async function signalled(server: Server, signal: NodeJS.Signals): Promise<void> {
  const clients = (await openMany(server.port, 2)).map(({ client }) => client);
  server.child.kill(signal);
  for (;;) {
    const closing = await Promise.race([...clients.map((client) => client.closed.then(() => true)), poll(server.port)]);
    if (closing) return;
  }
}

async function poll(port: number): Promise<boolean> {
  const client = new Client(port);
  try {
    await client.get();
  } catch {
    return true;
  }
  const closing = /^connection: close$/im.test(client.last);
  client.close();
  return closing;
}

test.after(endProcesses);
test.run();

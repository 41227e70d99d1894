// Who gets which connection: the same number each, none for who is held up, all of them within one limit.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, startServer } from "../support/process.ts";
import { Client, countBy, folder, oneEach, openMany, serve } from "./support.ts";

test("connections are spread evenly over threads that the machine runs", async () => {
  const server = await serve();
  await evenly(async () => {
    const threads = (await openMany(server.port, 20)).map(({ thread }) => thread);
    return countBy(threads).join() === "10,10";
  });
  await server.stop();
});

test("as connections end, who has fewer gets the next ones", async () => {
  const server = await serve();
  await evenly(async () => {
    const all = await openMany(server.port, 10);
    const [{ thread }] = all;
    const gone = all.filter((one) => one.thread === thread);
    await Promise.all(gone.map(({ client }) => client.end()));
    const next = await openMany(server.port, gone.length);
    const right = next.every((one) => one.thread === thread);
    await Promise.all([...all, ...next].map(({ client }) => client.end()));
    return right;
  });
  await server.stop();
});

test("at the limit of descriptors, when all clients leave at once, those that wait are answered", async () => {
  const limited = ["sh", "-c", 'ulimit -n 160; exec "$@"', "sh", ...fromSource, "run", "server.ts"];
  for (let round = 0; round < 3; round++) {
    const server = await startServer([...limited, "--port", "0", "--parallel", "2"], { cwd: folder });
    const crowd = Array.from({ length: 150 }, () => new Client(server.port));
    for (const client of crowd) client.get().catch(() => {});
    await server.saw(/accept on \S+ waits: \d+ sockets are open/);
    // Behind all others in the kernel's queue.
    const last = new Client(server.port);
    const answer = last.get();
    for (const client of crowd) client.close();
    const never = new Promise<string>((_, reject) =>
      setTimeout(reject, 20_000, new Error("no answer in 20 s")).unref(),
    );
    assert.match(await Promise.race([answer, never]), /^\d+$/);
    last.close();
    assert.is((await server.stop()).code, 0);
  }
});

/**
 * A thread that the machine leaves no time for 50 ms is passed over, rightly, so not each round can be exact; but more
 * are than are not, which chance does not bring about. What is exact is in distribution.test.ts.
 */
async function evenly(round: () => Promise<boolean>): Promise<void> {
  let [right, wrong] = [0, 0];
  while (right < wrong + 4) {
    if (await round()) right++;
    else wrong++;
    assert.ok(wrong < 20, `${right} rounds were even, and ${wrong} were not`);
  }
}

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

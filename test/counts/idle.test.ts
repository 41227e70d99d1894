/**
 * What idle connections cost: no turn, not one wake-up of the thread, and so no call; and of V8's heap hardly anything for
 * HTTP, and a kilobyte for a task that waits for its connection's bytes (966 bytes in 15 objects, half of them its own await).
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.ts";
import { Client, CountedServer } from "./counted.ts";

/** Both ends need descriptors, in processes of their own: this many are within the limits of most machines. */
const FEW = 100;
const MANY = 900;
const WARM = 3000;
const SILENCE_MS = 2000;
const SILENCES = 5;

/** Bytes of heap that one more connection may take. Measured: 60 to 140, nearly all of it what V8 compiles meanwhile, and 1,010 to 1,090. */
const kinds = [
  { name: "plaintext", most: 170 },
  { name: "raw echo", most: 1200 },
];

const test = suite("idle connections");
for (const poller of ["epoll", "uring"]) {
  for (const { name, most } of kinds) {
    test(`${name} on ${poller}`, async () => {
      const server = await CountedServer.start(name, poller);
      if (typeof server === "string") return skip(test, `${name} on ${poller}`, server);
      await using _ = server;
      // V8 compiles what is called often, which takes memory of its own.
      for (let i = 0; i < WARM; i++) {
        await using client = await Client.open(server.port, name);
        await client.ask();
      }
      const clients: Client[] = [];
      const openTo = async (count: number): Promise<number> => {
        while (clients.length < count) {
          const client = await Client.open(server.port, name);
          await client.ask();
          clients.push(client);
        }
        return (await server.counted(true)).used;
      };
      const few = await openTo(FEW);
      const bytes = ((await openTo(MANY)) - few) / (MANY - FEW);
      console.log(`${name} on ${poller}: ${Math.round(bytes)} bytes of heap for an idle connection`);
      assert.ok(bytes <= most, `${bytes} bytes of heap a connection, at most ${most} are let through`);

      const before = await server.counted();
      let woken = 1;
      // V8 does its own housekeeping for some seconds after a collection. Whatever woke us again and again would do so
      // in each of the silences.
      for (let i = 0; i < SILENCES && woken > 0; i++) {
        const slices = timeslices(server.pid);
        await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
        woken = timeslices(server.pid) - slices;
      }
      const after = await server.counted();
      // One, where the wait goes back to the host's loop meanwhile: V8's housekeeping has woken it more often than we have.
      assert.ok(after.turns - before.turns <= 1, `${after.turns - before.turns} turns in the silence`);
      assert.is(woken, 0, "times that the thread was woken in the silence");
      for (const client of clients) await client[Symbol.asyncDispose]();
    });
  }
}

/** How often the main thread was put on a core so far (sched-stats: /proc/<pid>/schedstat); 0 where nobody counts. */
function timeslices(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[2]);
  } catch {
    return 0;
  }
}

test.run();

/**
 * What each request may cost, held against what it does cost. Calls, turns and events are the same on every machine; bytes
 * of V8's heap are within some percent of each other, as long as Node stays the same.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.ts";
import { type Cost, CountedServer } from "./counted.ts";
import { scenarios } from "./scenarios.ts";

/** By scenario. `bytes` is the most that is let through: some 15 % above what was measured when it was written, for what V8 compiles meanwhile. */
export type Allowed = Readonly<Record<string, Cost>>;

/**
 * Counts everything on one poller. `exactly`: a call more, or less, is a failure. Otherwise the numbers are the most that
 * there may be: under io_uring it depends on how fast the client is whether a turn finds its next request.
 */
export function checkCosts(poller: string, allowed: Allowed, exactly: boolean): void {
  const test = suite(`what a request costs on ${poller}`);
  for (const name of Object.keys(scenarios)) {
    test(name, async () => {
      const server = await CountedServer.start(name, poller);
      if (typeof server === "string") return skip(test, `${name} on ${poller}`, server);
      await using _ = server;
      assert.is(server.poller, poller);
      const expected = allowed[name];
      let cost = await server.cost();
      // Beside other processes the usual case may be the slow one: what it costs at the least is what the code decides.
      for (let more = 0; more < 3 && !exactly && overLimit(cost, expected) !== ""; more++) cost = await server.cost();
      console.log(`${poller}, ${name}: ${show(cost)}`);
      const { bytes, ...counts } = cost;
      const { bytes: most, ...wanted } = expected;
      if (exactly) assert.equal(counts, wanted, `${name}: ${show(cost)}. ${WHAT_NOW}`);
      else assert.is(overLimit(cost, expected), "", `${name}: ${show(cost)}. ${WHAT_NOW}`);
      assert.ok(bytes <= most, `${name}: ${bytes} bytes a request, at most ${most} are let through. ${WHAT_NOW}`);
    });
  }
  test.run();
}

const WHAT_NOW =
  "Nobody notices a call or an object more by its time, but they add up. If it is worth it, or costs less now, change the number in this folder, and say in the commit what it buys";

function show({ calls, turns, events, bytes }: Cost): string {
  const list = Object.entries(calls).map(([name, count]) => (count === 1 ? name : `${count} ${name}`));
  return `${list.join(", ")}; ${turns} turns with ${events} events; ${Math.round(bytes)} bytes`;
}

/** The counts that are too high. */
function overLimit(cost: Cost, most: Cost): string {
  const over = Object.entries(cost.calls).filter(([name, count]) => count > (most.calls[name] ?? 0));
  if (cost.turns > most.turns) over.push(["turns", cost.turns]);
  if (cost.events > most.events) over.push(["events", cost.events]);
  return over.map(([name, count]) => `${count} ${name}`).join(", ");
}

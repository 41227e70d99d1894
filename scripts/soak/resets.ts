/** Connections reset at random moments of whatever they are at: nothing of them may be left. */
import { kinds, pause } from "./clients.ts";
import { Random } from "./random.ts";
import { mib, type Report } from "./report.ts";
import { Server, type State } from "./server.ts";

/** What the kind "resets" of the mixture does at a time. */
const AT_ONCE = 20;
const LANES = 4;

export async function resets(count: number, seed: number, report: Report): Promise<void> {
  const server = await Server.start();
  try {
    const bare = await server.bareDescriptors();
    const random = new Random(seed);
    const kind = kinds.find(({ name }) => name === "resets");
    if (kind === undefined) throw new Error("there is no such kind of client");
    const stop = new AbortController().signal;
    const many = async (connections: number): Promise<void> => {
      let left = Math.ceil(connections / AT_ONCE);
      const lane = async (): Promise<void> => {
        while (left-- > 0) await kind.run({ port: server.port, door: 0, raw: 0, random, stop });
      };
      await Promise.all(Array.from({ length: LANES }, lane));
    };
    // Buffers are given back by a thread of V8's own, which a busy machine keeps waiting.
    const quiet = async (external = Number.POSITIVE_INFINITY): Promise<State> => {
      for (let tries = 0; ; tries++) {
        const state = await server.settled();
        const { sockets } = server.descriptors();
        if (state.running === 0 && sockets <= bare.sockets && state.external <= external) return state;
        if (tries > 30) return state;
        await pause(100);
      }
    };
    // Code is compiled, tables grow to their size.
    await many(Math.min(2000, count));
    const before = await quiet();
    const began = performance.now();
    await many(count);
    console.log(`  ${count} connections in ${Math.round(performance.now() - began)} ms`);
    const after = await quiet(before.external + count * 100);
    const { sockets, all } = server.descriptors();
    report.atMost("sockets left over", sockets - bare.sockets, 0);
    report.atMost("descriptors left over", all - bare.all, 0);
    report.atMost("handlers left over", after.running, 0);
    report.atMost("host timers left over", after.timers - before.timers, 0);
    report.atMost("tasks left over", (await server.tasks()) - 1, 0);
    const growth = after.heap + after.external - before.heap - before.external;
    // 100 bytes each would be a leak; less is code that was compiled meanwhile.
    report.atMost(`growth of the memory held`, mib(growth), Math.max(1, mib(count * 100)), " MiB");
    server.closeControl();
    server.signal("SIGTERM");
    const code = await server.ended(35_000);
    report.check("exit code after SIGTERM", String(code), "0", code === 0);
  } finally {
    await server.kill();
  }
}

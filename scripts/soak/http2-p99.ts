/**
 * What each attack by HTTP/2 does to everybody else, and to the server's memory: ordinary clients without it and with it
 * by turns, in one run against one server.
 */
import { pause } from "./clients.ts";
import { attacks, Http2Attack } from "./http2-attack.ts";
import { Ordinary } from "./ordinary.ts";
import { type Report, short } from "./report.ts";
import { Server } from "./server.ts";

const ROUNDS = 3;
/** What they may take of memory, in MiB. */
const GROWTH_MIB = 64;

export async function http2P99(seconds: number, report: Report): Promise<void> {
  const server = await Server.start({ flags: ["--h2c"] });
  try {
    const ordinary = new Ordinary(server.port, 8, 10);
    await pause(2000);
    const kinds = Object.keys(attacks);
    const half = Math.max(300, (seconds * 1000) / kinds.length / ROUNDS / 2);
    const grown = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of kinds) {
        const before = server.rss();
        ordinary.phase("without");
        await pause(half);
        ordinary.phase("");
        const attack = await Http2Attack.start(server.port, kind);
        ordinary.phase(kind);
        await pause(half);
        ordinary.phase("");
        const growth = server.rss() - before;
        // The first round's is also what was compiled, and buffers that are kept.
        if (round > 0) grown.set(kind, Math.max(grown.get(kind) ?? 0, growth));
        const { cuts, said } = attack;
        await attack.stop();
        if (round === 0) console.log(`  ${kind}: ${short(said / 2 ** 20)} MiB said, cut ${cuts} times`);
        await pause(300);
      }
    }
    const { phases, wrong } = await ordinary.finish();
    for (const { text } of wrong.slice(0, 10)) console.log(`  wrong: ${text}`);
    report.atMost("answers that were wrong or did not come", wrong.length, 0);
    const without = phases.find(({ name }) => name === "without")?.p99 ?? Number.NaN;
    console.log(`  p99 without: ${short(without)} ms`);
    for (const { name, p50, p99 } of phases) {
      if (name === "without") continue;
      console.log(`  ${name}: p50 ${short(p50)} ms, p99 ${short(p99)} ms, memory ${short((grown.get(name) ?? 0) / 2 ** 20)} MiB`); // biome-ignore format: one line
      report.check(`p99 with "${name}" ÷ without`, short(p99 / without), "< 2", p99 / without < 2);
      report.atMost(`memory that "${name}" takes`, (grown.get(name) ?? 0) / 2 ** 20, GROWTH_MIB, " MiB");
    }
    server.signal("SIGTERM");
    const code = await server.ended(35_000);
    report.check("exit code after SIGTERM", String(code), "0", code === 0);
  } finally {
    await server.kill();
  }
}

/**
 * What 4,000 half-open and dripping connections do to everybody else: rounds without and with them by turns, in one run
 * against one server, so that whatever else the machine does meanwhile falls on both alike.
 */
import { Attack } from "./attack.ts";
import { pause } from "./clients.ts";
import { Ordinary } from "./ordinary.ts";
import { type Report, short } from "./report.ts";
import { Server } from "./server.ts";

export async function p99(seconds: number, report: Report): Promise<void> {
  const server = await Server.start();
  try {
    const ordinary = new Ordinary(server.port, 8, 10);
    await pause(2000);
    const rounds = Math.max(2, Math.round(seconds / 10));
    const half = (seconds * 1000) / rounds / 2;
    let least = Number.POSITIVE_INFINITY;
    const cpu = { without: 0, with: 0 };
    for (let round = 0; round < rounds; round++) {
      let before = server.cpu();
      ordinary.phase("without");
      await pause(half);
      ordinary.phase("");
      cpu.without += server.cpu() - before;
      const attack = await Attack.start(server.port);
      before = server.cpu();
      ordinary.phase("with");
      for (const end = performance.now() + half; performance.now() < end; await pause(200))
        least = Math.min(least, attack.open);
      ordinary.phase("");
      cpu.with += server.cpu() - before;
      await attack.stop();
      // Whatever the kernel still does about 4,000 closed connections is not the next round's.
      await pause(1000);
    }
    const { phases, wrong } = await ordinary.finish();
    for (const { text } of wrong.slice(0, 10)) console.log(`  wrong: ${text}`);
    const [without, with_] = ["without", "with"].map((name) => phases.find((phase) => phase.name === name));
    for (const phase of [without, with_]) {
      if (phase === undefined) throw new Error("a phase without a request");
      const { name, requests, p50, p99, max } = phase;
      console.log(`  ${name.padEnd(7)} ${requests} requests, p50 ${short(p50)} ms, p99 ${short(p99)} ms, max ${short(max)} ms`); // biome-ignore format: one line
    }
    const share = (used: number): string => short((used / (half * rounds)) * 100_000);
    console.log(`  the server used ${share(cpu.without)} % of a core without them, ${share(cpu.with)} % with them`);
    report.check("attacking connections, at the least", least, "> 3000", least > 3000);
    report.atMost("answers that were wrong or did not come", wrong.length, 0);
    const ratio = (with_?.p99 ?? Number.NaN) / (without?.p99 ?? Number.NaN);
    report.check("p99 with them ÷ p99 without", short(ratio), "< 2", ratio < 2);
    server.signal("SIGTERM");
    const code = await server.ended(35_000);
    report.check("exit code after SIGTERM", String(code), "0", code === 0);
  } finally {
    await server.kill();
  }
}

/** 2,000 clients of a server that may have 256 descriptors: no crash, no spin, and everybody is served in the end. */
import { pause } from "./clients.ts";
import type { Report } from "./report.ts";
import { Server } from "./server.ts";
import { connect, get, type Wire } from "./wire.ts";

const DESCRIPTORS = 256;
const CLIENTS = 2000;
/** While it is at its limit and nobody asks for anything, this much CPU is no spin. */
const MOST_CPU = 0.1;

export async function emfile(report: Report): Promise<void> {
  const server = await Server.start({ descriptors: DESCRIPTORS });
  try {
    // A connection from before: it must not notice.
    const bare = await server.bareDescriptors();
    const wires: Wire[] = [];
    // What the kernel's queue does not hold waits to be let in; some may have to ask again, as TCP does by itself.
    const answered = new Set<Wire>();
    const opening = Promise.all(
      Array.from({ length: CLIENTS }, async (_, i) => {
        const wire = await connect(server.port);
        wires.push(wire);
        wire.write(get(`/hello?mark=${i}`));
        const { status, body } = await wire.answer();
        if (status !== 200 || body.toString() !== `hello ${i}`) throw new Error(`client ${i}: ${status}`);
        answered.add(wire);
      }),
    );
    opening.catch(() => {});
    for (let last = -1, looks = 0; last < answered.size || (last === 0 && looks < 40); looks++) {
      last = answered.size;
      await pause(500);
    }
    const served = answered.size;
    report.check(`clients served of ${CLIENTS}, with ${DESCRIPTORS} descriptors`, served, "> 128", served > 128);

    const cpu = server.cpu();
    await pause(2000);
    const used = (server.cpu() - cpu) / 2;
    report.check("CPU of the full server, of one core", `${(used * 100).toFixed(1)} %`, `≤ ${MOST_CPU * 100} %`, used <= MOST_CPU); // biome-ignore format: one line
    report.check("alive", String(server.alive), "true", server.alive);
    let control = "answered";
    await server.state().catch((error) => (control = String(error)));
    report.check("the connection from before", control, "answered", control === "answered");
    const lines = server.log.split("\n").filter((line) => /descriptor|open files|ulimit/i.test(line)).length;
    report.check("lines in the log about it", lines, "1 or 2", lines >= 1 && lines <= 2);

    // As clients leave, those that wait come in; all have been served when the last one leaves.
    const began = performance.now();
    const left = new Set<Wire>();
    while (left.size < CLIENTS && performance.now() - began < 60_000) {
      for (const wire of answered) {
        if (left.has(wire)) continue;
        left.add(wire);
        wire.socket.destroy();
      }
      await pause(5);
    }
    await Promise.race([opening, pause(1000)]).catch((error) => report.check("answers", String(error), "right", false));
    report.check("clients served in the end", answered.size, String(CLIENTS), answered.size === CLIENTS);
    console.log(`  the last ${CLIENTS - served} came in within ${Math.round(performance.now() - began)} ms`);
    for (let tries = 0; server.descriptors().all > bare.all && tries < 100; tries++) await pause(50);
    report.atMost("descriptors left over", server.descriptors().all - bare.all, 0);
    server.closeControl();
    server.signal("SIGTERM");
    const code = await server.ended(35_000);
    report.check("exit code after SIGTERM", String(code), "0", code === 0);
  } finally {
    await server.kill();
  }
}

/**
 * What 4,000 half-open and dripping connections do to everybody else: rounds without and with them by turns, in one run
 * against one server, so that whatever else the machine does meanwhile falls on both alike.
 */
import { connect as connectSocket, type Socket } from "node:net";
import { pause } from "./clients.ts";
import { Ordinary } from "./ordinary.ts";
import { type Report, short } from "./report.ts";
import { Server } from "./server.ts";

const ATTACKERS = 4000;
/** Half of them drip a byte of a head or of a body this often; the others sent part of a head and are silent. */
const DRIP_MS = 1000;
/** Steps in that time, so that neither they nor we come in bursts. */
const TICKS = 250;

export async function p99(seconds: number, report: Report): Promise<void> {
  const server = await Server.start();
  try {
    const ordinary = new Ordinary(server.port, 8, 10);
    await pause(2000);
    const rounds = Math.max(2, Math.round(seconds / 10));
    const half = (seconds * 1000) / rounds / 2;
    let least = ATTACKERS;
    const cpu = { without: 0, with: 0 };
    for (let round = 0; round < rounds; round++) {
      let before = server.cpu();
      ordinary.phase("without");
      await pause(half);
      ordinary.phase("");
      cpu.without += server.cpu() - before;
      const attack = new Attack(server.port);
      await attack.begun();
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
    for (const line of wrong.slice(0, 10)) console.log(`  wrong: ${line}`);
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

/**
 * 4,000 connections, each of which is opened anew when the server cuts it. One timer for all: each connection has its
 * moment in every second.
 */
class Attack {
  readonly #port: number;
  readonly #sockets: (Socket | undefined)[] = new Array(ATTACKERS).fill(undefined);
  readonly #timer: ReturnType<typeof setInterval>;
  #tick = 0;
  #stopped = false;
  /** Connections that are open. */
  open = 0;

  constructor(port: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#step(), DRIP_MS / TICKS);
  }

  /** Resolves when all of them are connected. */
  async begun(): Promise<void> {
    while (this.open < ATTACKERS * 0.98) await pause(50);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket?.destroy();
    while (this.open > 0) await pause(10);
  }

  #step(): void {
    for (let i = this.#tick++ % TICKS; i < ATTACKERS; i += TICKS) {
      const socket = this.#sockets[i];
      if (socket === undefined) this.#sockets[i] = this.#connect(i);
      else if (i % 2 === 1 && socket.writable) socket.write("x");
    }
  }

  #connect(index: number): Socket {
    const socket = connectSocket({ port: this.#port, host: "127.0.0.1", noDelay: true });
    socket.on("connect", () => {
      this.open++;
      socket.write(BEGINNINGS[index % BEGINNINGS.length]);
      socket.on("close", () => this.open--);
    });
    socket.on("error", () => {});
    // The next one at once: those who were cut come back.
    socket.on("close", () => (this.#sockets[index] = this.#stopped ? undefined : this.#connect(index)));
    return socket.resume();
  }
}

/** By index: the odd ones drip on, inside a head or a body. */
const BEGINNINGS = [
  "GET / HTTP/1.1\r\nHost: a\r\nX-",
  "GET / HTTP/1.1\r\nX-A: ",
  "GET",
  "POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
];

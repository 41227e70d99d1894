// What connections cost that do nothing: each has had one request answered and
// then stays open. The figure is the slope of resident memory from 1,000 to
// 10,000 of them (fewer where descriptors are short); beside it, the CPU that the server used during five seconds
// with 1,000 open. A parked server uses no tick at all.
import { connect, type Socket } from "node:net";
import { cpuSeconds, cpuTicks, descriptorLimit, residentBytes, settled } from "../cpu.ts";
import type { Question } from "../question.ts";
import { freePort, startServer } from "../server.ts";
import plaintext from "./plaintext.ts";

const FEW = 1000;
/** Both ends of each connection need a descriptor, though not in one process; some are spoken for. */
const MANY = Math.min(10_000, descriptorLimit() - 500);
const WATCH_SECONDS = 5;

const question: Question = {
  name: "idle",
  title: `idle connections: memory from ${FEW} to ${MANY}, CPU in ${WATCH_SECONDS} s with ${FEW}`,
  unit: "bytes/connection",
  digits: 0,
  handlers: plaintext.handlers,
  fresh: true,
  cold: true,
  rounds: 3,
  extra: [
    { key: "ticks", label: "ticks", digits: 0 },
    { key: "idleMs", label: "CPU ms", digits: 2 },
    { key: "mebibytes", label: `MiB with ${FEW}`, digits: 1 },
  ],
  async measure(subject, settings) {
    const many = settings.quick ? Math.min(MANY, 4000) : MANY;
    const port = await freePort();
    const server = await startServer(subject.command(port), port, settings.serverCore);
    const sockets: Socket[] = [];
    try {
      await openTo(FEW, sockets, port);
      await settled(server.pids);
      const cpu = cpuSeconds(server.pids);
      const ticks = cpuTicks(server.pids);
      await new Promise((resolve) => setTimeout(resolve, (settings.quick ? 1 : WATCH_SECONDS) * 1000));
      const idleMs = (cpuSeconds(server.pids) - cpu) * 1000;
      const usedTicks = cpuTicks(server.pids) - ticks;
      const few = residentBytes(server.pids);
      await openTo(many, sockets, port);
      await settled(server.pids);
      const after = residentBytes(server.pids);
      const closed = sockets.filter((socket) => socket.closed || socket.readableEnded).length;
      if (closed > 0) throw new Error(`idle: ${subject.peer} closed ${closed} of ${many} connections meanwhile`);
      return {
        value: (after - few) / (many - FEW),
        extra: { ticks: usedTicks, idleMs, mebibytes: few / 2 ** 20 },
      };
    } finally {
      for (const socket of sockets) socket.destroy();
      await server.stop();
    }
  },
};
export default question;

/** Opens connections, 100 at a time, until there are `count`; each has got an answer when this resolves. */
async function openTo(count: number, sockets: Socket[], port: number): Promise<void> {
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(100, count - sockets.length) }, () => answered(port));
    sockets.push(...(await Promise.all(batch)));
  }
}

function answered(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    let head = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      head += text;
      if (head.endsWith("Hello, world!")) resolve(socket);
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("idle: the server closed a connection before it had answered")));
  });
}

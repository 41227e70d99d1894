/**
 * Attackers, in a process of their own at the lowest priority: a real one's computer is not the server's, so where both
 * want a core it must not be the server, nor the clients that are measured, who wait.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { pause } from "./clients.ts";

export const ATTACKERS = 4000;
/** Half of them drip a byte of a head or of a body this often; the others sent part of a head and are silent. */
const DRIP_MS = 1000;
/** Steps in that time, so that neither they nor we come in bursts. */
const TICKS = 250;
/** How often the child says how many are open. */
const TELL_MS = 100;

/** The attack, as the soak holds it: from `start` until `stop`. */
export class Attack {
  readonly #child: ReturnType<typeof fork>;
  /** Connections that were open a moment ago. */
  open = 0;

  private constructor(port: number) {
    this.#child = fork(new URL(import.meta.url), [String(port)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (open: number) => (this.open = open));
  }

  /** Resolves when all of them are connected. */
  static async start(port: number): Promise<Attack> {
    const attack = new Attack(port);
    while (attack.open < ATTACKERS * 0.98) {
      if (attack.#child.exitCode !== null) throw new Error("the attackers have ended too early");
      await pause(50);
    }
    return attack;
  }

  /** Resolves when all of them are gone. */
  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
    this.open = 0;
  }
}

/**
 * 4,000 connections, each of which is opened anew when the server cuts it. One timer for all: each connection has its
 * moment in every second.
 */
class Connections {
  readonly #port: number;
  readonly #sockets: (Socket | undefined)[] = new Array(ATTACKERS).fill(undefined);
  #tick = 0;
  open = 0;

  constructor(port: number) {
    this.#port = port;
    setInterval(() => this.#step(), DRIP_MS / TICKS);
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
    socket.on("close", () => (this.#sockets[index] = this.#connect(index)));
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

if (import.meta.main && process.send !== undefined) {
  setPriority(constants.priority.PRIORITY_LOW);
  const connections = new Connections(Number(process.argv[2]));
  setInterval(() => process.send?.(connections.open), TELL_MS);
  // The soak has gone, whatever the reason.
  process.on("disconnect", () => process.exit());
}

/** A counted server (server.ts), seen from its client. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { type Scenario, scenarios } from "./scenarios.ts";
import type { Counted, Told } from "./server.ts";

/** What one request costs. */
export interface Cost {
  /** Calls through koffi, by the name of the C function. */
  readonly calls: Readonly<Record<string, number>>;
  readonly turns: number;
  readonly events: number;
  /** Bytes of V8's heap. */
  readonly bytes: number;
}

export class CountedServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  port = 0;
  pid = 0;
  poller = "";

  private constructor(name: string, poller: string) {
    this.#name = name;
    this.#child = fork(fileURLToPath(new URL("server.ts", import.meta.url)), [name], {
      env: { ...process.env, SLIPWAY_POLLER: poller },
      execArgv: ["--expose-gc", "--min-semi-space-size=64", "--max-semi-space-size=64", ...COMPILED_SOON],
    });
  }

  /** Starts it on that poller; undefined, and why, when the machine refuses the poller. */
  static async start(name: string, poller: string): Promise<CountedServer | string> {
    const server = new CountedServer(name, poller);
    const [told] = (await once(server.#child, "message")) as [Told];
    if ("refused" in told) {
      await server[Symbol.asyncDispose]();
      return told.refused;
    }
    server.port = told.port;
    server.pid = server.#child.pid ?? 0;
    server.poller = told.poller;
    return server;
  }

  /** What it has counted so far, all of what has reached it by now. */
  async counted(collect = false): Promise<Counted> {
    this.#child.send(collect);
    const [counted] = (await once(this.#child, "message")) as [Counted];
    return counted;
  }

  /**
   * What a request costs, one under way at a time, once everything is warm. Calls, turns and events are what most of the
   * rounds show, and bytes are the least: a timer of Node's, a compiler or a collection of V8's may come in between.
   */
  async cost(): Promise<Cost> {
    const { connects = false } = scenarios[this.#name];
    const client = connects ? undefined : await Client.open(this.port, this.#name);
    const once = async (): Promise<void> => {
      if (client !== undefined) return client.ask();
      await using one = await Client.open(this.port, this.#name);
      await one.ask();
    };
    for (let i = 0; i < (connects ? WARM / 4 : WARM); i++) await once();
    const rounds: Cost[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = await this.counted();
      const nothing = await this.counted();
      for (let i = 0; i < A_ROUND; i++) await once();
      const end = await this.counted();
      const asking = nothing.used - start.used;
      rounds.push({ ...difference(nothing, end, A_ROUND), bytes: (end.used - nothing.used - asking) / A_ROUND });
    }
    const seen = connects ? await this.#stepByStep() : rounds;
    await client?.[Symbol.asyncDispose]();
    const usual = mostCommon(seen.map(({ calls, turns, events }) => JSON.stringify({ calls, turns, events })));
    return { ...JSON.parse(usual), bytes: Math.min(...rounds.map((round) => round.bytes)) };
  }

  /** Connections, each step of which the server has seen to before the next: else it is chance what it finds together. */
  async #stepByStep(): Promise<Omit<Cost, "bytes">[]> {
    const steps: Omit<Cost, "bytes">[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = await this.counted();
      for (let i = 0; i < CONNECTIONS; i++) {
        const client = await Client.open(this.port, this.#name);
        await this.counted();
        await client.ask();
        await this.counted();
        await client[Symbol.asyncDispose]();
        await this.counted();
      }
      const end = await this.counted();
      for (let i = 0; i < CONNECTIONS * 3; i++) await this.counted();
      steps.push(less(difference(start, end, CONNECTIONS), difference(end, await this.counted(), CONNECTIONS)));
    }
    return steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** A fifth of V8's own thresholds (3,000 and 400): the same code, hence the same bytes, after a fifth of the requests. */
const COMPILED_SOON = ["--invocation-count-for-turbofan=600", "--invocation-count-for-maglev=80"];
/** Requests until V8 has compiled what it will. */
const WARM = 5000;
const ROUNDS = 5;
const A_ROUND = 1000;
const CONNECTIONS = 50;

function difference(from: Counted, to: Counted, requests: number): Omit<Cost, "bytes"> {
  const calls: Record<string, number> = {};
  for (const name of Object.keys(to.calls).sort()) {
    const count = to.calls[name] - (from.calls[name] ?? 0);
    if (count !== 0) calls[name] = each(count, requests);
  }
  return { calls, turns: each(to.turns - from.turns, requests), events: each(to.events - from.events, requests) };
}

function less(all: Omit<Cost, "bytes">, asking: Omit<Cost, "bytes">): Omit<Cost, "bytes"> {
  const calls: Record<string, number> = {};
  for (const [name, count] of Object.entries(all.calls)) {
    // How many waits there are depends on what comes together, and many a question ends one.
    if (name !== "epoll_wait") calls[name] = Math.round(count - (asking.calls[name] ?? 0));
  }
  return { calls, turns: Math.round(all.turns - asking.turns), events: Math.round(all.events - asking.events) };
}

/** Without what one question costs. */
function each(count: number, requests: number): number {
  return Math.round((count / requests) * 100) / 100;
}

function mostCommon(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
}

/** A connection of a client. */
export class Client implements AsyncDisposable {
  readonly #socket: net.Socket;
  readonly #scenario: Scenario;
  /** Bytes of one answer, once there was one. */
  #length = 0;
  #head = "";
  #missing = 0;
  #answered: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  private constructor(socket: net.Socket, scenario: Scenario) {
    this.#socket = socket;
    this.#scenario = scenario;
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => this.#failed(new Error("the server closed the connection")));
  }

  static async open(port: number, name: string): Promise<Client> {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Client(socket, scenarios[name]);
  }

  /** Sends the request, or the batch of them, and resolves when every answer is there. */
  ask(): Promise<void> {
    const { request, answers } = this.#scenario;
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#missing += this.#length * answers;
      this.#socket.write(request);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed = () => {};
    const closed = once(this.#socket, "close");
    this.#socket.end();
    await closed;
  }

  #received(bytes: Buffer): void {
    this.#missing -= bytes.length;
    if (this.#length === 0) {
      this.#head += bytes.toString("latin1");
      this.#length = lengthOf(this.#head, this.#scenario);
      if (this.#length === 0) return;
      this.#missing += this.#length * this.#scenario.answers;
    }
    if (this.#missing === 0) this.#answered();
  }
}

/** 0 when the answer's head is not complete. */
function lengthOf(answer: string, { request }: Scenario): number {
  if (!request.includes("HTTP/1.1")) return request.length;
  const end = answer.indexOf("\r\n\r\n");
  const body = /\r\ncontent-length: (\d+)\r\n/i.exec(answer)?.[1];
  if (end < 0) return 0;
  if (!answer.startsWith("HTTP/1.1 200") || body === undefined) throw new Error(`an answer of another kind: ${answer}`);
  return end + 4 + Number(body);
}

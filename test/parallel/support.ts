/** A program for workers, and a client that keeps its connection, on node:net, which we did not write. */
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { slipwayBinary } from "../support/binary.ts";
import { fromSource, type RunOptions, run, type Server, type Started, start, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";

/** Says which thread answers; other paths end it in every way. */
export const PROGRAM = `
import { threadId } from "node:worker_threads";
export default {
  async fetch(request: Request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") setTimeout(() => { throw new Error("thrown on purpose"); });
    if (pathname === "/exit") process.exit(7);
    if (pathname === "/deno-exit") Deno.exit(8);
    if (pathname === "/memory") for (const held: unknown[] = []; ; ) held.push(new Array(10_000).fill(held.length));
    if (pathname === "/spin") for (;;);
    if (pathname === "/block") for (const until = Date.now() + 1500; Date.now() < until; );
    if (pathname === "/slow") await new Promise((done) => setTimeout(done, 300));
    if (pathname === "/hang") await new Promise(() => {});
    return new Response(String(threadId));
  },
};
`;

export const folder: string = project({ "server.ts": PROGRAM });

export function serve(flags: readonly string[] = [], options: RunOptions = {}): Promise<Server> {
  const command = [...fromSource, "run", "server.ts", "--port", "0", "--parallel", "2", ...flags];
  return startServer(command, { cwd: folder, ...options });
}

export function begin(file: string, cwd: string, ...flags: string[]): Started {
  return start([...fromSource, "run", file, "--parallel", "2", ...flags], { cwd });
}

let compiled: Promise<string> | undefined;

/** The same program as an executable. */
export function executable(): Promise<string> {
  return (compiled ??= (async () => {
    const path = join(folder, "server");
    const made = await run([await slipwayBinary(), "compile", "server.ts", "-o", path], { cwd: folder });
    if (made.code !== 0) throw new Error(made.stderr);
    return path;
  })());
}

export async function serveExecutable(flags: readonly string[] = [], options: RunOptions = {}): Promise<Server> {
  return startServer([await executable(), "--port", "0", "--parallel", "2", ...flags], options);
}

/** One kept connection. */
export class Client {
  readonly socket: Socket;
  /** Resolves once it is closed, by whomever. */
  readonly closed: Promise<void>;
  #text = "";
  #waiting: { resolve(body: string): void; reject(error: Error): void } | undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.setEncoding("latin1");
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    void this.closed.then(() => this.#waiting?.reject(new Error(`closed, with ${JSON.stringify(this.#text)}`)));
    this.socket.on("data", (text: string) => {
      this.#text += text;
      const head = this.#text.indexOf("\r\n\r\n");
      const length = Number(/^content-length: (\d+)$/im.exec(this.#text)?.[1] ?? 0);
      if (head < 0 || this.#text.length < head + 4 + length) return;
      const body = this.#text.slice(head + 4, head + 4 + length);
      this.last = this.#text.slice(0, head);
      this.#text = this.#text.slice(head + 4 + length);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(body);
    });
  }

  /** The head of the last answer. */
  last = "";

  /** The answer's body. */
  get(path = "/"): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  /** Ends it and waits until the server has as well: then it has noticed. */
  end(): Promise<void> {
    this.socket.end();
    return this.closed;
  }
}

/** Opens so many connections and asks on each; gives who answered on which. */
export async function openMany(port: number, count: number): Promise<{ client: Client; thread: string }[]> {
  const clients = Array.from({ length: count }, () => new Client(port));
  return Promise.all(clients.map(async (client) => ({ client, thread: await client.get() })));
}

/** Who answers on a new connection. */
export async function whoAnswers(port: number, path = "/"): Promise<string> {
  const client = new Client(port);
  try {
    return await client.get(path);
  } finally {
    client.close();
  }
}

export function countBy(threads: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const thread of threads) counts.set(thread, (counts.get(thread) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => a - b);
}

/** A connection to each worker, however many that takes where the machine has no time for one of them. */
export async function oneEach(port: number): Promise<{ client: Client; thread: string }[]> {
  const many = await openMany(port, 2);
  const other = () => many.find(({ thread }) => thread !== many[0].thread);
  await until(
    async () => other() ?? many.push(...(await openMany(port, 2))),
    () => other() !== undefined,
  );
  return [many[0], other() ?? many[0]];
}

/** Two of them, and neither has much more than the other: a worker that the machine does not run is passed over. */
export function shared(threads: readonly string[]): boolean {
  const counts = countBy(threads);
  return counts.length === 2 && counts[0] >= threads.length * 0.3;
}

/** Asks until the answer is so: what it waits for has no other sign. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean, seconds = 20): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${JSON.stringify(answer)}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** A port that nobody has. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

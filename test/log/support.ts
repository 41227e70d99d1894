/** A server with a log, and what stands behind its standard error: a pipe, a file, a socket, a terminal. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { repository, temporaryFolder } from "../support/process.ts";

const program = join(repository, "test/log/programs/server.ts");
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export interface LogServer {
  readonly port: number;
  readonly child: ChildProcess;
  /** Exit code and signal. */
  readonly ended: Promise<readonly [number | null, string | null]>;
}

/** Starts the program with a descriptor of ours as its standard error, or with a socket that only we read. */
export async function startLogServer(
  args: readonly string[],
  stderr: number | "pipe",
  uid?: number,
): Promise<LogServer> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", stderr], uid });
  children.add(child);
  const ended = once(child, "exit").then(([code, signal]) => {
    children.delete(child);
    return [code, signal] as const;
  });
  let seen = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => (seen += text));
  const port = await until(() => /^port (\d+)$/m.exec(seen)?.[1]);
  return { port: Number(port), child, ended };
}

/** Asks again and again until there is an answer. */
export async function until<T>(ask: () => T | undefined | false): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`20 s have passed, and not: ${ask}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A pipe that is read when the test says so. */
export class Pipe implements Disposable {
  readonly path = join(temporaryFolder(), "pipe");
  readonly writeEnd: number;
  readonly #readEnd: number;
  readonly #buffer = Buffer.alloc(65_536);

  constructor() {
    execFileSync("mkfifo", ["-m", "600", this.path]);
    this.#readEnd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writeEnd = openSync(this.path, constants.O_WRONLY);
  }

  /** What is in it now. */
  readonly read = (): string => {
    let text = "";
    try {
      for (let n = 1; n > 0; ) {
        n = readSync(this.#readEnd, this.#buffer);
        text += this.#buffer.toString("utf8", 0, n);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    return text;
  };

  /** The reader goes. */
  closeReader(): void {
    closeSync(this.#readEnd);
  }

  [Symbol.dispose](): void {
    closeSync(this.writeEnd);
  }
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** One request; header values are sent a byte a character. */
export function ask(port: number, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, headers, method, timeout: 20_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in 20 s")));
    request.on("error", reject);
    request.end(body);
  });
}

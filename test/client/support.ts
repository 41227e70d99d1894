/** Servers to fetch from: node:http's in a process of its own, and sockets that say what a test wants, byte for byte. */
import { fork } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { install } from "../../src/fetch/mod.ts";
import { patience } from "../support/patience.ts";

/** The host's, to hold ours against. */
export const nativeFetch: typeof globalThis.fetch = globalThis.fetch;
install(() => import("../../src/client/mod.ts"));

/** Starts programs/node-server.ts; its base URL, and what ends it. */
export async function nodeServer(): Promise<{ base: string; stop(): void }> {
  const program = fileURLToPath(new URL("programs/node-server.ts", import.meta.url));
  const child = fork(program, { stdio: ["ignore", "pipe", "inherit", "ipc"], execArgv: ["--no-warnings"] });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.stdout?.on("data", (line: Buffer) => resolve(String(line)));
  child.once("exit", () => reject(new Error("the server ended")));
  const port = /port (\d+)/.exec(await promise)?.[1];
  return { base: `http://127.0.0.1:${port}`, stop: () => child.kill("SIGKILL") };
}

export interface RawServer {
  readonly base: string;
  readonly port: number;
  /** Connections that were accepted so far. */
  readonly sockets: net.Socket[];
  close(): void;
}

/** Calls `answer` with each whole request head, as often as one comes, and the connection that it came over. */
export async function rawServer(
  answer: (socket: net.Socket, head: string, n: number) => void,
  wanted = 0,
): Promise<RawServer> {
  const sockets: net.Socket[] = [];
  let n = 0;
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket);
    let got = "";
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (bytes) => {
      got += bytes.toString("latin1");
      for (let at = got.indexOf("\r\n\r\n"); at >= 0; at = got.indexOf("\r\n\r\n")) {
        const head = got.slice(0, at + 4);
        got = got.slice(at + 4);
        if (!/^[A-Z]+ \/.* HTTP\/1\.1\r\n/.test(head)) return;
        answer(socket, head, ++n);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(wanted, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    base: `http://127.0.0.1:${port}`,
    port,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Always the same bytes, and the connection's end behind them if it is to end. */
export function saying(bytes: string, end = false): Promise<RawServer> {
  return rawServer((socket) => {
    if (end) socket.end(bytes, "latin1");
    else socket.write(bytes, "latin1");
  });
}

/** What a promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  return assert.unreachable("it did not fail") as never;
}

/** What it says, and what its cause says. */
export function told({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

/** Resolves once it holds; what is waited for has no event. Bounded. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000 * patience; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`it never came to: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

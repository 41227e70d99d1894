/** Ends of connections for tests: ours on one side, node:net's, which we did not write, on the other. */
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import net from "node:net";
import { networkInterfaces } from "node:os";
import * as assert from "uvu/assert";
import { listen, type TcpConn } from "../../src/net/mod.ts";
import { patience } from "../support/patience.ts";

export interface Pair {
  readonly conn: TcpConn;
  readonly peer: net.Socket;
  [Symbol.dispose](): void;
}

/** A connection of ours that node:net opened; the peer is paused, and half-open sockets stay open. */
export async function pair(): Promise<Pair> {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const peer = net.connect({ port: listener.addr.port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {});
  peer.pause();
  const [conn] = await Promise.all([listener.accept(), once(peer, "connect")]);
  return {
    conn,
    peer,
    [Symbol.dispose]() {
      conn.close();
      peer.destroy();
    },
  };
}

type ErrorClass = abstract new (...args: never[]) => unknown;

/** Asserts that a promise is rejected with this class (and, if given, message), and returns the error. */
export async function rejects(promise: Promise<unknown>, Class: ErrorClass, message?: RegExp): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    assert.instance(error, Class as never, `${error} is no ${Class.name}`);
    if (message !== undefined) assert.match((error as Error).message, message);
    return error as Error;
  }
  assert.unreachable(`resolved with ${JSON.stringify(value)} instead of failing with ${Class.name}`);
  throw new Error("unreachable");
}

/** Everything the peer gets until it ends; it can still write then. */
export async function readAll(peer: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  peer.on("data", (chunk: Buffer) => chunks.push(chunk));
  peer.resume();
  await once(peer, "end");
  return Buffer.concat(chunks);
}

/** Reads from one of our connections until it has `length` bytes, or the end. */
export async function readExactly(conn: { read(p: Uint8Array): Promise<number | null> }, length: number) {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const n = await conn.read(bytes.subarray(at));
    if (n === null) break;
    at += n;
  }
  return bytes.subarray(0, at);
}

/** A turn of the event loop and more: what was under way in the kernel of this machine has arrived. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether this machine has IPv6, if only on its loopback. */
export const hasV6: boolean = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);

/** The sockets, epoll instances and eventfds of this process. (Node opens /dev/null and files when it likes.) */
export function descriptors(): number {
  let count = 0;
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (/^socket:|eventpoll|eventfd/.test(readlinkSync(`/proc/self/fd/${fd}`))) count++;
    } catch {
      // The descriptor that read the directory is gone.
    }
  }
  return count;
}

/** Waits until a condition holds, for a bounded time. */
export async function until(condition: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs * patience;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (string: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(string);

/**
 * What the matrix of faults is driven through: the HTTP server, with node:net for clients; the net API on both sides;
 * datagrams; and the poller itself. Between them they make every call that the seam has.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { system as realSystem } from "../../ffi/libc.ts";
import type { Poller } from "../../ffi/poller.ts";
import { open } from "../../src/deno/fs-file.ts";
import { encodeIp } from "../../src/net/address.ts";
import {
  type Conn,
  connect,
  type Listener,
  listen,
  listenDatagram,
  listenFd,
  type NetAddr,
  serveConn,
} from "../../src/net/mod.ts";
import { Runtime, replaceRuntime } from "../../src/runtime/turn.ts";
import { connect as connectHttp } from "../http/support/client.ts";
import { start } from "../http/support/server.ts";
import { until } from "../net/pair.ts";
import type { Kernel } from "./kernel.ts";

export interface Outcome {
  /** What failed; nothing when nobody noticed. */
  readonly failures: readonly Error[];
  /** Bytes that were other than they should be: never right, whatever was injected. */
  readonly wrong: readonly string[];
}

/** Runs on a runtime of its own, and waits until nothing of it is left. */
export type Scenario = (on: Machine) => Promise<Outcome>;

/** A system, and a poller of the kind that is tested on it. */
export interface Machine {
  readonly system: Kernel;
  open(): Poller;
}

class WrongBytes extends Error {}

let runs = 0;

/** Sets up a runtime, runs the clients, each of which may fail by itself, and takes everything down. */
async function scenario(on: Machine, run: (each: Each) => Promise<void>): Promise<Outcome> {
  const failures: Error[] = [];
  const wrong: string[] = [];
  let runtime: Runtime;
  try {
    // One parked in the host's loop, the next waiting with the poller.
    runtime = new Runtime(on.open(), ++runs % 2 === 0 ? 1 : undefined);
  } catch (error) {
    return { failures: [notOpened(error)], wrong };
  }
  const restore = replaceRuntime(runtime);
  const fail = (error: unknown): void => {
    if (error instanceof WrongBytes) wrong.push(error.message);
    else failures.push(error as Error);
  };
  try {
    await run((clients) => Promise.all(clients.map((client) => client.catch(fail))));
  } catch (error) {
    fail(error);
  } finally {
    await until(() => runtime.poller.openCount === 0, "every handle is closed");
    restore();
    runtime.dispose();
  }
  return { failures, wrong };
}
/** No poller is an outcome too, and its sentence is checked like others. */
function notOpened(error: unknown): Error {
  return new Error(`poller: ${(error as Error).message}`);
}

type Each = (clients: readonly Promise<void>[]) => Promise<unknown>;

function same(got: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(got, expected) !== 0) throw new WrongBytes(`${what}: ${got.length} bytes, not ${expected.length}`);
}

const patterns = new Map<string, Uint8Array<ArrayBuffer>>();

/** Made once: a scenario is run hundreds of times. Whoever changes its bytes takes a copy. */
function pattern(length: number, salt: number): Uint8Array<ArrayBuffer> {
  const known = patterns.get(`${length} ${salt}`);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + salt, 2654435761) >>> 11) & 255;
  patterns.set(`${length} ${salt}`, bytes);
  return bytes;
}

let fileMade: string | undefined;

/** The path of a file with the bytes of `pattern(600_000, 5)`, gone when the process ends. */
function patternFile(): string {
  if (fileMade !== undefined) return fileMade;
  const folder = mkdtempSync(join(tmpdir(), "slipway-fault-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  fileMade = join(folder, "file");
  writeFileSync(fileMade, pattern(600_000, 5));
  return fileMade;
}

/** Requests of all kinds, on connections of three kinds; a handler that asks for the peer's address. */
export const http: Scenario = (on) =>
  scenario(on, async (each) => {
    const long = pattern(300_000, 1);
    using server = start(async (request, info) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/peer") return new Response(JSON.stringify(info.remoteAddr).includes("tcp") ? "yes" : "no");
      if (pathname === "/long") return new Response(long);
      if (pathname === "/stream") return new Response(new Blob([long]).stream());
      if (pathname === "/broken") return new Response(new ReadableStream({ pull: (c) => c.error(new Error("test")) }));
      return new Response(await request.bytes());
    });
    const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const keepAlive = async (): Promise<void> => {
      using client = await connectHttp(server.port);
      client.write(get("/peer"));
      same((await client.responses(1))[0].body, Buffer.from("yes"), "peer");
      client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${long.length}\r\n\r\n`);
      client.write(long);
      same((await client.responses(2))[1].body, long, "echo");
      client.write(get("/long"));
      same((await client.responses(3))[2].body, long, "long");
    };
    const pipelined = async (): Promise<void> => {
      using client = await connectHttp(server.port);
      client.write(get("/peer") + get("/stream") + get("/peer") + get("/peer", "Connection: close\r\n"));
      const answers = await client.untilEnd();
      const bodies = Buffer.concat(answers.map(({ body }) => body));
      const expected = Buffer.concat([Buffer.from("yes"), long, Buffer.from("yesyes")]);
      // A connection may end between two answers, and then what came is right.
      same(bodies, expected.subarray(0, bodies.length), "pipelined");
      if (bodies.length < expected.length) throw new Error(`${answers.length} answers of 4`);
    };
    const refused = async (): Promise<void> => {
      using client = await connectHttp(server.port);
      client.write(`GET / HTTP/1.1\r\n\r\n${"x".repeat(1000)}`);
      const answers = await client.untilEnd();
      if (answers.length === 0) throw new Error("no answer");
      if (answers[0].status !== 400) throw new WrongBytes(`status ${answers[0].status}`);
    };
    // HTTP/1.0: only a reset tells that the body is not whole.
    const cut = async (): Promise<void> => {
      using client = await connectHttp(server.port);
      client.write("GET /broken HTTP/1.0\r\n\r\n");
      await client.gone();
    };
    try {
      await each([keepAlive(), pipelined(), refused(), cut()]);
    } finally {
      await server.server.shutdown();
    }
  });

/** Files and small pieces as bodies, for a client that goes on and one that is done. */
export const files: Scenario = (on) =>
  scenario(on, async (each) => {
    const path = patternFile();
    const long = pattern(600_000, 5);
    using server = start(async (request) => {
      if (request.url.endsWith("/file")) return new Response((await open(path)).readable);
      const pieces = Array.from({ length: 60 }, (_, i) => long.subarray(i * 10_000, (i + 1) * 10_000));
      return new Response(new Blob(pieces).stream());
    });
    const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const ask = async (path: string): Promise<void> => {
      using client = await connectHttp(server.port);
      client.write(get(path) + get(path, "Connection: close\r\n"));
      const answers = await client.untilEnd();
      for (const { body } of answers) same(body, long, path);
      if (answers.length < 2) throw new Error(`${answers.length} answers of 2`);
    };
    await each([ask("/file"), ask("/pieces")]);
  });

/** Ours on both sides: TCP and a Unix socket, options, a half-close, an inherited listener. */
export const streams: Scenario = (on) =>
  scenario(on, async (each) => {
    const folder = mkdtempSync(join(tmpdir(), "slipway-fault-"));
    const echo = async (conn: Conn): Promise<void> => {
      const buffer = new Uint8Array(20_000);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
        await conn.write(buffer.subarray(0, n));
    };
    const exchange = async (conn: Conn, data: Uint8Array): Promise<void> => {
      try {
        const sending = conn.write(data).then(() => conn.closeWrite());
        sending.catch(() => conn.close());
        const chunks: Uint8Array[] = [];
        const buffer = new Uint8Array(50_000);
        for (let n: number | null; (n = await conn.read(buffer)) !== null; ) chunks.push(buffer.slice(0, n));
        await sending;
        const got = Buffer.concat(chunks);
        // Who was cut off gets fewer, but none that are wrong.
        if (got.length < data.length) {
          same(got, data.subarray(0, got.length), "the part that came");
          throw new Error("cut off");
        }
        same(got, data, "echo");
      } finally {
        conn.close();
      }
    };
    let tcp: ReturnType<typeof serveConn> | undefined;
    let unix: ReturnType<typeof serveConn> | undefined;
    try {
      const listener = listen({ port: 0, hostname: "127.0.0.1" });
      tcp = serveConn(listener as never, echo);
      const path = join(folder, "socket");
      unix = serveConn(listen({ transport: "unix", path }) as never, echo);
      const { port } = listener.addr;
      const overTcp = async (length: number): Promise<void> => {
        const conn = await connect({ port });
        try {
          conn.setKeepAlive();
          conn.setNoDelay(false);
        } catch (error) {
          conn.close();
          throw error;
        }
        await exchange(conn, pattern(length, length));
      };
      const overUnix = async (): Promise<void> => exchange(await connect({ transport: "unix", path }), pattern(400_000, 3)); // biome-ignore format: one line
      await each([overTcp(300), overTcp(500_000), overUnix()]);
    } finally {
      await Promise.all([tcp?.shutdown(), unix?.shutdown()]);
      rmSync(folder, { recursive: true, force: true });
    }
  });

/** A listener that somebody else opened: its descriptor stays theirs when it is refused. */
export const inherited: Scenario = (on) =>
  scenario(on, async (each) => {
    const real = realSystem();
    const { AF_INET, SOCK_STREAM } = real.constants;
    const fd = real.socket(AF_INET, SOCK_STREAM, 0);
    real.bind(fd, encodeIp(real.constants, { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" }, 0));
    real.listen(fd, 5);
    let listener: Listener;
    try {
      listener = listenFd(fd);
    } catch (error) {
      real.close(fd);
      throw error;
    }
    try {
      const { port } = listener.addr as NetAddr;
      const client = async (): Promise<void> => {
        const socket = net.connect(port, "127.0.0.1");
        socket.on("error", () => {});
        try {
          using conn = await listener.accept();
          await conn.write(new Uint8Array([1]));
        } finally {
          socket.destroy();
        }
      };
      await each([client()]);
    } finally {
      listener.close();
    }
  });

/** Datagrams to and fro, over UDP and Unix sockets; a multicast group joined, set up and left. */
export const datagrams: Scenario = (on) =>
  scenario(on, async (each) => {
    const folder = mkdtempSync(join(tmpdir(), "slipway-fault-"));
    try {
      using a = listenDatagram({ transport: "udp", port: 0, hostname: "0.0.0.0", reuseAddress: true, loopback: true });
      using b = listenDatagram({ transport: "udp", port: 0, hostname: "127.0.0.1" });
      using c = listenDatagram({ transport: "unixpacket", path: join(folder, "c") });
      const udp = async (): Promise<void> => {
        for (let i = 0; i < 5; i++) {
          const data = pattern(1000 * i, i);
          await a.send(data, b.addr);
          same((await b.receive())[0], data, `datagram ${i}`);
        }
      };
      const unix = async (): Promise<void> => {
        const data = pattern(100, 7);
        await c.send(data, c.addr);
        same((await c.receive())[0], data, "unix datagram");
      };
      const multicast = async (): Promise<void> => {
        const group = await a.joinMulticastV4("224.0.0.251", "127.0.0.1");
        await group.setLoopback(false);
        await group.setTTL(2);
        await group.leave();
      };
      await each([udp(), unix(), multicast()]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

/** The poller alone: wake from a park, a pair of sockets. */
export const poller: Scenario = async ({ system, open }) => {
  const { constants } = system;
  let bare: Poller;
  try {
    bare = open();
  } catch (error) {
    return { failures: [notOpened(error)], wrong: [] };
  }
  const failures: Error[] = [];
  const fds = new Int32Array(2);
  const made = system.socketpair(constants.SOCK_STREAM, fds);
  if (made < 0) failures.push(new Error(`socketpair: os error ${-made}`));
  else for (const fd of fds) system.close(fd);
  for (let i = 0; i < 3; i++) {
    bare.wake();
    const began = performance.now();
    bare.poll(20_000);
    if (performance.now() - began > 15_000) failures.push(new Error("a wake was lost"));
  }
  system.unacknowledged(-1);
  system.descriptorLimit();
  bare.dispose();
  return { failures, wrong: [] };
};

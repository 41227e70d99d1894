// The load generators against servers that count for themselves: a figure per
// request is worth nothing if the requests are counted wrong. Every case runs
// on the C generator (where a C compiler exists) and on the portable one.
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compiled } from "../../scripts/bench/compiler.ts";
import { type LoadOptions, type LoadResult, runLoad } from "../../scripts/bench/load.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

interface Seen {
  requests: number;
  connections: number;
}

/** Runs `load` against a server that hands every request it read whole to `answer`. */
async function against(
  answer: (socket: Socket, nth: number) => void,
  load: Omit<LoadOptions, "port">,
): Promise<{ result: LoadResult; seen: Seen }> {
  const seen: Seen = { requests: 0, connections: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    seen.connections++;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        text = text.slice(end + 4);
        answer(socket, ++seen.requests);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the test server has no port");
    return { result: await runLoad({ ...load, port: address.port }), seen };
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function http(listener: RequestListener): Server {
  return createHttpServer({ keepAliveTimeout: 60_000 }, listener);
}

/** Runs `load` against a server of node:http. */
async function loaded(server: Server, load: Omit<LoadOptions, "port">): Promise<{ result: LoadResult }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the test server has no port");
    return { result: await runLoad({ ...load, port: address.port }) };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function cases(name: string, portable: boolean): void {
  const test = suite(name);

  test("counts each response with a Content-Length once", async () => {
    const { result, seen } = await against(
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
      {
        request: GET,
        requests: 500,
        connections: 7,
        portable,
      },
    );
    assert.is(result.requests, 500);
    assert.is(seen.requests, 500);
    assert.is(seen.connections, 7);
    assert.is(result.statusErrors + result.broken + result.reconnects, 0);
    assert.is(result.bytes, 500 * "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".length);
    assert.ok(result.latency.p50 > 0 && result.latency.p50 <= result.latency.p99);
    assert.ok(result.latency.p99 <= result.latency.max);
  });

  test("counts pipelined responses, however they are cut", async () => {
    // Two responses at a time, in pieces of 11 bytes: heads and bodies begin and end anywhere.
    let held = "";
    const { result, seen } = await against(
      (socket, nth) => {
        held += `HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n${"abcdefghijklmnopqrstuvwxyz"}`;
        if (nth % 2) return;
        for (let at = 0; at < held.length; at += 11) socket.write(held.slice(at, at + 11));
        held = "";
      },
      { request: GET, requests: 200, connections: 1, depth: 16, portable },
    );
    assert.is(result.requests, 200);
    assert.is(seen.requests, 200);
    assert.is(result.broken, 0);
  });

  test("counts chunked responses with extensions and trailers, sent byte by byte", async () => {
    const response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "5;name=value\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nx-trailer: 1\r\n\r\n";
    const { result, seen } = await against(
      (socket) => {
        for (const byte of response) socket.write(byte);
      },
      { request: GET, requests: 40, connections: 2, portable },
    );
    assert.is(result.requests, 40);
    assert.is(seen.requests, 40);
    assert.is(result.broken, 0);
    assert.is(result.bytes, 40 * response.length);
  });

  test("a status other than 200 is an error, not a request", async () => {
    const { result } = await against(
      (socket, nth) => {
        if (nth % 4 === 0) socket.write("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy");
        else if (nth % 4 === 1) socket.write("HTTP/1.1 204 No Content\r\n\r\n");
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      },
      { request: GET, requests: 100, connections: 1, portable },
    );
    assert.is(result.requests, 50);
    assert.is(result.statusErrors, 50);
    assert.is(result.broken, 0);
  });

  test("an interim response is no answer", async () => {
    const { result, seen } = await against(
      (socket) =>
        socket.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
      { request: GET, requests: 60, connections: 3, portable },
    );
    assert.is(result.requests, 60);
    assert.is(seen.requests, 60);
    assert.is(result.statusErrors + result.broken, 0);
  });

  test("opens a new connection after Connection: close, and none too many", async () => {
    const { result, seen } = await against(
      (socket) => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok"),
      { request: GET, requests: 50, connections: 4, portable },
    );
    assert.is(result.requests, 50);
    assert.is(seen.requests, 50);
    assert.is(result.broken, 0);
    assert.ok(seen.connections >= 50, `one each, not ${seen.connections}`);
  });

  test("a request that asks for a close is the connection's last, whatever the answer says", async () => {
    const { result, seen } = await against((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), {
      request: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      requests: 50,
      connections: 4,
      portable,
    });
    assert.is(result.requests, 50);
    assert.is(seen.requests, 50);
    assert.is(result.broken, 0);
  });

  test("a body without a length lasts until the connection ends", async () => {
    const { result } = await against((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nhello"), {
      request: GET,
      requests: 20,
      connections: 2,
      portable,
    });
    assert.is(result.requests, 20);
    assert.is(result.broken, 0);
  });

  test("the answer to HEAD has no body", async () => {
    const { result } = await against((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"), {
      request: "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      requests: 30,
      connections: 2,
      portable,
    });
    assert.is(result.requests, 30);
    assert.is(result.broken, 0);
  });

  test("a connection that ends early, or talks nonsense, is broken", async () => {
    for (const nonsense of [
      "",
      "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello",
      "SSH-2.0-OpenSSH_9.9 and more\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n\r\n",
    ]) {
      const { result } = await against((socket) => socket.end(nonsense), {
        request: GET,
        requests: 10,
        connections: 2,
        portable,
      });
      assert.is(result.requests, 0, JSON.stringify(nonsense));
      assert.is(result.broken, 10, JSON.stringify(nonsense));
    }
  });

  test("sends bodies whole, however large, and counts what it sent", async () => {
    const lengths: number[] = [];
    const server = http((request, response) => {
      let length = 0;
      request.on("data", (chunk: Buffer) => {
        length += chunk.length;
      });
      request.on("end", () => {
        lengths.push(length);
        response.end("ok");
      });
    });
    const BODY = 700_001; // no multiple of any buffer
    const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY}\r\n\r\n`;
    const { result } = await loaded(server, { request: head, body: BODY, requests: 12, connections: 3, portable });
    assert.is(result.requests, 12);
    assert.is(result.broken + result.statusErrors, 0);
    assert.equal(
      lengths,
      Array.from({ length: 12 }, () => BODY),
    );
    assert.ok(result.sent >= 12 * BODY, `${result.sent} bytes`);
    assert.is(result.body, 12 * 2);
  });

  test("counts the bytes of a body without its head and its chunks' framing", async () => {
    const server = http((_request, response) => {
      response.write("a".repeat(1000));
      response.end("b".repeat(300_000));
    });
    const { result } = await loaded(server, { request: GET, requests: 10, connections: 2, portable });
    assert.is(result.requests, 10);
    assert.is(result.body, 10 * 301_000);
    assert.ok(result.bytes > result.body);
  });

  test("idle connections have one answer each, stay open, and are not counted", async () => {
    let seen = 0;
    const sockets = new Set<Socket>();
    const server = http((request, response) => {
      seen++;
      sockets.add(request.socket);
      response.end("ok");
    });
    const { result } = await loaded(server, { request: GET, requests: 50, connections: 3, idle: 250, portable });
    assert.is(result.requests, 50);
    assert.is(result.broken + result.statusErrors + result.reconnects, 0);
    assert.is(seen, 300);
    assert.is(sockets.size, 253);
  });

  test("an idle connection that the server ends is an error", async () => {
    const sockets = new Set<Socket>();
    const server = http((request, response) => {
      sockets.add(request.socket);
      response.end("ok");
      // The eleventh connection is the first busy one: from then on one idle one is missing.
      if (sockets.size === 11) [...sockets][4].destroy();
    });
    const { result } = await loaded(server, { request: GET, seconds: 0.3, connections: 2, idle: 10, portable });
    assert.ok(result.requests > 0);
    assert.is(result.broken, 1);
  });

  test("a server that never answers ends with the time, not later", async () => {
    const { result, seen } = await against(() => {}, {
      request: GET,
      seconds: 0.2,
      connections: 3,
      depth: 2,
      portable,
    });
    assert.is(result.requests, 0);
    assert.is(seen.requests, 6);
    assert.ok(result.seconds > 0.19); // a timer may be a moment early
  });

  test("nobody listening is an error that says so", async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const address = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    if (address === null || typeof address === "string") throw new Error("the probe had no port");
    try {
      await runLoad({ port: address.port, request: GET, seconds: 5, connections: 2, portable });
      assert.unreachable();
    } catch (error) {
      assert.match(
        error instanceof Error ? error.message : "",
        /load generator ended with 1: .*(refused|nobody accepts)/,
      );
    }
  });

  test.run();
}

if (compiled("load")) cases("load.c", false);
cases("load-node.ts", true);

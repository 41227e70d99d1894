/** What is counted: each a server, and what its clients do. */
import { install } from "../../src/fetch/mod.ts";
import { type Handler, serve } from "../../src/http/mod.ts";
import { type Conn, listen, serveConn } from "../../src/net/mod.ts";

export interface Scenario {
  /** Starts to serve; the port. */
  serve(): number;
  /** What a client sends at a time, and how many answers it gets to that. */
  readonly request: string;
  readonly answers: number;
  /** Each request on a connection of its own. */
  readonly connects?: boolean;
}

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BODY = "x".repeat(100);
const HEADERS = [
  "accept",
  "accept-language",
  "accept-encoding",
  "referer",
  "cookie",
  "authorization",
  "cache-control",
  "x-request-id",
  "x-forwarded-for",
  "x-forwarded-proto",
  "user-agent",
];

function http(handler: Handler): () => number {
  return () => {
    install();
    const { addr } = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
    return "port" in addr ? addr.port : 0;
  };
}

async function echo(conn: Conn): Promise<void> {
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    await conn.write(buffer.subarray(0, n));
  }
}
const buffer = new Uint8Array(1024);

const plaintext = http(() => new Response("Hello, world!"));

export const scenarios: Readonly<Record<string, Scenario>> = {
  plaintext: { serve: plaintext, request: GET, answers: 1 },
  "pipelined 16": { serve: plaintext, request: GET.repeat(16), answers: 16 },
  "JSON, 12 headers read": {
    serve: http(({ headers }) => {
      const read: Record<string, string | null> = { host: headers.get("host") };
      for (const name of HEADERS) read[name] = headers.get(name);
      return new Response(JSON.stringify(read), { headers: { "content-type": "application/json" } });
    }),
    request: `GET / HTTP/1.1\r\nHost: localhost\r\n${HEADERS.map((name) => `${name}: value of ${name}\r\n`).join("")}\r\n`,
    answers: 1,
  },
  "async handler": {
    serve: http(async () => {
      await undefined;
      return new Response("Hello, world!");
    }),
    request: GET,
    answers: 1,
  },
  "body of 100 bytes echoed": {
    serve: http(async (request) => new Response(await request.text())),
    request: `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    answers: 1,
  },
  "new connection per request": { serve: plaintext, request: GET, answers: 1, connects: true },
  "raw echo": {
    serve: () => serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo).addr.port,
    request: "hello",
    answers: 1,
  },
  "raw echo, new connection each": {
    serve: () => serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo).addr.port,
    request: "hello",
    answers: 1,
    connects: true,
  },
};

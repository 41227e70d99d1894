// The kinds of connections that do nothing, and how each comes to that.

export interface Kind {
  readonly title: string;
  /** What the client sends, once. */
  readonly sends: string;
  /** Whether something comes back; the client waits for it. */
  readonly answered: boolean;
}

const head = (method: string, path: string, ...fields: string[]): string =>
  [`${method} ${path} HTTP/1.1`, "Host: localhost", ...fields, "", ""].join("\r\n");

/** A frame (RFC 9113, 4.1), and fields as literals that the server keeps (RFC 7541, 6.2.1): no byte is above 127. */
const frame = (type: number, flags: number, stream: number, payload = ""): string =>
  `${String.fromCharCode(0, 0, payload.length, type, flags, 0, 0, 0, stream)}${payload}`;
const field = (name: string, value: string): string =>
  `\x40${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`;
const http2 = [
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  frame(4, 0, 0),
  frame(4, 1, 0),
  frame(
    1,
    5,
    1,
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "x"],
    ]
      .map(([n, v]) => field(n, v))
      .join(""),
  ),
].join("");
const UPGRADE = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

export const kinds: Readonly<Record<string, Kind>> = {
  http: { title: "HTTP, after a request", sends: head("GET", "/"), answered: true },
  head: { title: "HTTP, 25 bytes of a head have come", sends: head("GET", "/").slice(0, 25), answered: false },
  body: {
    title: "HTTP, a handler awaits the rest of a body",
    sends: `${head("POST", "/", "Content-Length: 1000")}${"x".repeat(100)}`,
    answered: false,
  },
  events: { title: "HTTP, an event stream that is silent", sends: head("GET", "/events"), answered: true },
  http2: { title: "HTTP/2, after a request", sends: http2, answered: true },
  websocket: {
    title: "WebSocket, after its handshake",
    sends: head("GET", "/", ...UPGRADE),
    answered: true,
  },
  compressed: {
    title: "WebSocket that agreed to compression",
    sends: head("GET", "/", ...UPGRADE, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
    answered: true,
  },
  raw: { title: "raw, a task in `await conn.read(p)`", sends: "hello", answered: true },
  readable: { title: "raw, a task in `for await (… of conn.readable)`", sends: "hello", answered: true },
};

/** What is measured when nobody says otherwise. */
export const usual: readonly string[] = ["http", "raw", "head"];

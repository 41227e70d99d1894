// The rules of RFC 9113 that a client can break, each by one that does: what is an error of a stream leaves the connection
// to the others, what is an error of the connection ends it, each with its code.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start, type TestServer } from "../http/support/server.ts";
import {
  ACK,
  block,
  CONTINUATION,
  connectRaw,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  GOAWAY,
  HEADERS,
  integer,
  open,
  PADDED,
  PING,
  POST,
  PREFACE,
  PRIORITY,
  PUSH_PROMISE,
  type Raw,
  RST_STREAM,
  SETTINGS,
  setting,
  text,
  uint32,
  WINDOW_UPDATE,
} from "./support/raw.ts";

const [NO_ERROR, PROTOCOL_ERROR, , FLOW_CONTROL_ERROR, , STREAM_CLOSED, FRAME_SIZE_ERROR, , , COMPRESSION_ERROR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];
type Fields = readonly (readonly [string, string])[];

/** Answers each request with its body; /slow never. */
function server(): TestServer {
  return start(
    async (request) => {
      if (request.url.endsWith("/slow")) return new Promise(() => {});
      return new Response(`${request.method} ${await request.text()}`);
    },
    { h2c: true },
  );
}

/** `fields` of GET with these instead, or behind. */
function but(...fields: Fields): Fields {
  const names = fields.map(([name]) => name);
  return [...GET.filter(([name]) => !names.includes(name)), ...fields];
}
function without(...names: string[]): Fields {
  return GET.filter(([name]) => !names.includes(name));
}
const SLOW = but([":path", "/slow"]);

// ---- errors of the connection

const broken: Record<string, [code: number, say: (raw: Raw) => void | Promise<void>]> = {
  "DATA on stream 0 (6.1)": [PROTOCOL_ERROR, (raw) => raw.write(frame(DATA, 0, 0, "x"))],
  "DATA on an idle stream (5.1)": [PROTOCOL_ERROR, (raw) => raw.write(frame(DATA, 0, 5, "x"))],
  "HEADERS on stream 0 (6.2)": [PROTOCOL_ERROR, (raw) => raw.request(0)],
  "HEADERS on an even stream (5.1.1)": [PROTOCOL_ERROR, (raw) => raw.request(2)],
  "a stream below the last (5.1.1)": [
    STREAM_CLOSED,
    (raw) => {
      raw.request(5);
      raw.request(3);
    },
  ],
  "padding longer than DATA (6.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, POST, END_HEADERS);
      raw.write(frame(DATA, PADDED, 1, "\x05abc"));
    },
  ],
  "padding longer than HEADERS (6.2)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, "\x05\x82")),
  ],
  "PRIORITY on stream 0 (6.3)": [PROTOCOL_ERROR, (raw) => raw.write(frame(PRIORITY, 0, 0, "\0\0\0\x01\x01"))],
  "HEADERS that make a stream depend on itself (RFC 7540, 5.3.1)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, END_HEADERS | END_STREAM | 0x20, 1, "\0\0\0\x01\x01\x82")),
  ],
  "HEADERS behind RST_STREAM, of a stream that both have reset (5.1)": [
    STREAM_CLOSED,
    async (raw) => {
      raw.request(1, [...POST, ["content-length", "1"]], END_HEADERS);
      raw.write(frame(DATA, 0, 1, "ab"));
      await raw.reset(1);
      raw.write(frame(RST_STREAM, 0, 1, uint32(8)));
      raw.request(1);
    },
  ],
  "RST_STREAM on stream 0 (6.4)": [PROTOCOL_ERROR, (raw) => raw.write(frame(RST_STREAM, 0, 0, uint32(8)))],
  "RST_STREAM on an idle stream (6.4)": [PROTOCOL_ERROR, (raw) => raw.write(frame(RST_STREAM, 0, 7, uint32(8)))],
  "RST_STREAM of 3 bytes (6.4)": [
    FRAME_SIZE_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(RST_STREAM, 0, 1, "abc"));
    },
  ],
  "SETTINGS on a stream (6.5)": [PROTOCOL_ERROR, (raw) => raw.write(frame(SETTINGS, 0, 1))],
  "SETTINGS of 5 bytes (6.5)": [FRAME_SIZE_ERROR, (raw) => raw.write(frame(SETTINGS, 0, 0, "abcde"))],
  "an acknowledgement with a payload (6.5)": [
    FRAME_SIZE_ERROR,
    (raw) => raw.write(frame(SETTINGS, ACK, 0, setting(1, 0))),
  ],
  "ENABLE_PUSH of 2 (6.5.2)": [PROTOCOL_ERROR, (raw) => raw.write(frame(SETTINGS, 0, 0, setting(2, 2)))],
  "INITIAL_WINDOW_SIZE of 2^31 (6.5.2)": [
    FLOW_CONTROL_ERROR,
    (raw) => raw.write(frame(SETTINGS, 0, 0, setting(4, 2 ** 31))),
  ],
  "MAX_FRAME_SIZE of 16,383 (6.5.2)": [PROTOCOL_ERROR, (raw) => raw.write(frame(SETTINGS, 0, 0, setting(5, 16_383)))],
  "MAX_FRAME_SIZE of 2^24 (6.5.2)": [PROTOCOL_ERROR, (raw) => raw.write(frame(SETTINGS, 0, 0, setting(5, 2 ** 24)))],
  "NO_RFC7540_PRIORITIES that changes (RFC 9218, 2.1)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(SETTINGS, 0, 0, setting(9, 0)), frame(SETTINGS, 0, 0, setting(9, 1))),
  ],
  "PUSH_PROMISE (8.4)": [PROTOCOL_ERROR, (raw) => raw.write(frame(PUSH_PROMISE, 4, 1, uint32(2)))],
  "PING on a stream (6.7)": [PROTOCOL_ERROR, (raw) => raw.write(frame(PING, 0, 1, uint32(0, 0)))],
  "PING of 7 bytes (6.7)": [FRAME_SIZE_ERROR, (raw) => raw.write(frame(PING, 0, 0, "1234567"))],
  "GOAWAY on a stream (6.8)": [PROTOCOL_ERROR, (raw) => raw.write(frame(GOAWAY, 0, 1, uint32(0, 0)))],
  "WINDOW_UPDATE of 3 bytes (6.9)": [FRAME_SIZE_ERROR, (raw) => raw.write(frame(WINDOW_UPDATE, 0, 0, "abc"))],
  "WINDOW_UPDATE by 0 on the connection (6.9)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(0))),
  ],
  "WINDOW_UPDATE on an idle stream (5.1)": [PROTOCOL_ERROR, (raw) => raw.write(frame(WINDOW_UPDATE, 0, 9, uint32(1)))],
  "a connection window beyond 2^31-1 (6.9.1)": [
    FLOW_CONTROL_ERROR,
    (raw) => raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))),
  ],
  "a stream window beyond 2^31-1 by SETTINGS (6.9.2)": [
    FLOW_CONTROL_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1 - 65_535)), frame(SETTINGS, 0, 0, setting(4, 65_536)));
    },
  ],
  "CONTINUATION without HEADERS (6.10)": [PROTOCOL_ERROR, (raw) => raw.write(frame(CONTINUATION, END_HEADERS, 1))],
  "CONTINUATION of another stream (6.10)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, 0, 1, block(GET)), frame(CONTINUATION, END_HEADERS, 3)),
  ],
  "another frame within a header block (6.2)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, 0, 1, block(GET)), frame(PING, 0, 0, uint32(0, 0))),
  ],
  "an unknown frame within a header block (5.5)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, 0, 1, block(GET)), frame(0x77, 0, 1, "?")),
  ],
  "DATA within a header block (6.2)": [
    PROTOCOL_ERROR,
    (raw) => raw.write(frame(HEADERS, 0, 1, block(GET)), frame(DATA, 0, 1, "x")),
  ],
  "a frame of more than 16,384 bytes (4.2)": [
    FRAME_SIZE_ERROR,
    (raw) => raw.write(frame(DATA, 0, 1, Buffer.alloc(16_385))),
  ],
  "an unknown frame that is too large (4.2)": [
    FRAME_SIZE_ERROR,
    (raw) => raw.write(frame(0x77, 0, 0, Buffer.alloc(16_385))),
  ],
  "PRIORITY_UPDATE on a stream (RFC 9218, 7.1)": [PROTOCOL_ERROR, (raw) => raw.write(frame(0x10, 0, 1, uint32(1)))],
  "DATA on a stream that is closed (5.1)": [
    STREAM_CLOSED,
    async (raw) => {
      raw.request(1);
      await raw.response(1);
      raw.write(frame(DATA, 0, 1, "x"));
    },
  ],
  "index 0 (RFC 7541, 6.1)": [COMPRESSION_ERROR, (raw) => raw.write(frame(HEADERS, 5, 1, "\x80"))],
  "an index beyond the table (RFC 7541, 2.3.3)": [COMPRESSION_ERROR, (raw) => raw.write(frame(HEADERS, 5, 1, "\xbe"))],
  "an integer without an end (RFC 7541, 5.1)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, `\xff${"\xff".repeat(10)}`)),
  ],
  "a string longer than its block (RFC 7541, 5.2)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, "\x00\x05abc")),
  ],
  "Huffman padding of zeros (RFC 7541, 5.2)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, "\x00\x81\x18\x00")),
  ],
  "Huffman padding of a whole byte (RFC 7541, 5.2)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, "\x00\x82\x1f\xff\x00")),
  ],
  "EOS within a Huffman string (RFC 7541, 5.2)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, "\x00\x84\xff\xff\xff\xff\x00")),
  ],
  "a table larger than ours (RFC 7541, 6.3)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, Buffer.concat([integer(4097, 5, 0x20), block(GET)]))),
  ],
  "a new table size behind a field (RFC 7541, 4.2)": [
    COMPRESSION_ERROR,
    (raw) => raw.write(frame(HEADERS, 5, 1, Buffer.concat([block(GET), Buffer.from([0x20])]))),
  ],
};

for (const [name, [code, say]] of Object.entries(broken)) {
  test(`the connection ends: ${name}`, async () => {
    using at = server();
    using raw = await open(at.port);
    await say(raw);
    assert.is(await raw.goaway(), code);
  });
}

test("the connection ends: the first frame is not SETTINGS (3.4)", async () => {
  using at = server();
  using client = await connectRaw(at.port);
  client.write(PREFACE);
  client.write(frame(PING, 0, 0, uint32(0, 0)));
  await client.until(() => client.over, "the end");
  assert.is(client.bytes.readUInt32BE(client.bytes.length - 4), PROTOCOL_ERROR);
});

test("the connection ends: a preface that goes wrong (3.4)", async () => {
  using at = server();
  using client = await connectRaw(at.port);
  client.write("PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n");
  await client.until(() => client.over, "the end");
  assert.is(client.bytes.readUInt32BE(client.bytes.length - 4), PROTOCOL_ERROR);
});

// ---- malformed requests, which are errors of their stream (8.1.1)

const malformed: Record<string, Fields> = {
  "an upper-case name (8.2.1)": but(["X-Y", "1"]),
  "an empty name (8.2.1)": but(["", "1"]),
  "a space in a name (8.2.1)": but(["x y", "1"]),
  "a colon in a name (8.2.1)": but(["x:y", "1"]),
  "a line feed in a value (8.2.1)": but(["x", "a\nb: c"]),
  "a carriage return in a value (8.2.1)": but(["x", "a\rb"]),
  "NUL in a value (8.2.1)": but(["x", "a\0b"]),
  "a value that begins with a space (8.2.1)": but(["x", " a"]),
  "a value that ends with a tab (8.2.1)": but(["x", "a\t"]),
  "connection (8.2.2)": but(["connection", "close"]),
  "keep-alive (8.2.2)": but(["keep-alive", "timeout=5"]),
  "proxy-connection (8.2.2)": but(["proxy-connection", "close"]),
  "transfer-encoding (8.2.2)": but(["transfer-encoding", "chunked"]),
  "upgrade (8.2.2)": but(["upgrade", "h2c"]),
  "te that is not trailers (8.2.2)": but(["te", "gzip"]),
  "an unknown pseudo-header (8.3)": but([":x", "1"]),
  ":status (8.3)": but([":status", "200"]),
  ":protocol that we never offered (RFC 8441, 4)": but([":protocol", "websocket"]),
  "a pseudo-header behind a field (8.3)": [["x", "1"], ...GET],
  "no :method (8.3.1)": without(":method"),
  "no :scheme (8.3.1)": without(":scheme"),
  "no :path (8.3.1)": without(":path"),
  "an empty :path (8.3.1)": but([":path", ""]),
  "two :method (8.3.1)": [...GET, [":method", "GET"]],
  "two :path (8.3.1)": [...GET, [":path", "/"]],
  "two :scheme (8.3.1)": [...GET, [":scheme", "http"]],
  "two :authority (8.3.1)": [...GET, [":authority", "x"]],
  "a method that is no token (RFC 9110, 9.1)": but([":method", "GE T"]),
  "neither :authority nor host (8.3.1)": without(":authority"),
  "an empty :authority (8.3.1)": but([":authority", ""]),
  ":authority and another host (8.3.1)": but(["host", "y"]),
  "two hosts (RFC 9110, 7.2)": [...without(":authority"), ["host", "x"], ["host", "x"]],
  "CONNECT with a path (8.5)": but([":method", "CONNECT"]),
  "two content-lengths (RFC 9110, 8.6)": but(["content-length", "0"], ["content-length", "0"]),
  "a content-length that is no number (RFC 9110, 8.6)": but(["content-length", "+1"]),
  "a content-length without a body (8.1.1)": but(["content-length", "1"]),
};

for (const [name, fields] of Object.entries(malformed)) {
  test(`the stream ends, and no other: ${name}`, async () => {
    using at = server();
    using raw = await open(at.port);
    raw.request(1, fields);
    assert.is(await raw.reset(1), PROTOCOL_ERROR);
    raw.request(3);
    assert.is((await raw.response(3)).status, "200");
  });
}

const streams: Record<string, [code: number, say: (raw: Raw) => void]> = {
  "PRIORITY that makes a stream depend on itself (RFC 7540, 5.3.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(PRIORITY, 0, 1, "\0\0\0\x01\x01"));
    },
  ],
  "a body longer than its content-length (8.1.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, [...POST, ["content-length", "2"]], END_HEADERS);
      raw.write(frame(DATA, 0, 1, "abc"));
    },
  ],
  "a body shorter than its content-length (8.1.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, [...POST, ["content-length", "4"]], END_HEADERS);
      raw.write(frame(DATA, END_STREAM, 1, "abc"));
    },
  ],
  "trailers that do not end the stream (8.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, POST, END_HEADERS);
      raw.request(1, [["x", "y"]], END_HEADERS);
    },
  ],
  "a pseudo-header in trailers (8.1)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, POST, END_HEADERS);
      raw.request(1, [[":path", "/"]]);
    },
  ],
  "trailers that are larger than a head may be": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, POST, END_HEADERS);
      const part = block([["x", "y".repeat(15_000)]]);
      raw.write(frame(HEADERS, END_STREAM, 1, part));
      // 70 of them are a little more than the megabyte of maxHeaderBytes.
      for (let i = 0; i < 68; i++) raw.write(frame(CONTINUATION, 0, 1, part));
      raw.write(frame(CONTINUATION, END_HEADERS, 1, part));
    },
  ],
  "DATA behind END_STREAM (5.1)": [
    STREAM_CLOSED,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(DATA, 0, 1, "x"));
    },
  ],
  "HEADERS behind END_STREAM (5.1)": [
    STREAM_CLOSED,
    (raw) => {
      raw.request(1, SLOW);
      raw.request(1, [["x", "y"]]);
    },
  ],
  "WINDOW_UPDATE by 0 (6.9)": [
    PROTOCOL_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(0)));
    },
  ],
  "a window beyond 2^31-1 (6.9.1)": [
    FLOW_CONTROL_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1)));
    },
  ],
  "PRIORITY of 4 bytes (6.3)": [
    FRAME_SIZE_ERROR,
    (raw) => {
      raw.request(1, SLOW);
      raw.write(frame(PRIORITY, 0, 1, "abcd"));
    },
  ],
};

for (const [name, [code, say]] of Object.entries(streams)) {
  test(`the stream ends, and no other: ${name}`, async () => {
    using at = server();
    using raw = await open(at.port);
    say(raw);
    assert.is(await raw.reset(1), code);
    raw.request(3);
    assert.is((await raw.response(3)).status, "200");
  });
}

// ---- what is refused with an answer

const refused: Record<string, [status: string, fields: Fields]> = {
  "a target without a slash": ["400", but([":path", "a"])],
  "a target with a fragment": ["400", but([":path", "/a#b"])],
  "* without OPTIONS": ["400", but([":path", "*"])],
  "an authority that is no host": ["400", but([":authority", "a b"])],
  "an authority with a user name": ["400", but([":authority", "me@x"])],
  "a target that is too long": ["414", but([":path", `/${"a".repeat(65_536)}`])],
  "an unknown expectation": ["417", but(["expect", "wonders"])],
  CONNECT: [
    "501",
    [
      [":method", "CONNECT"],
      [":authority", "x:443"],
    ],
  ],
};

for (const [name, [status, fields]] of Object.entries(refused)) {
  test(`${status}: ${name}`, async () => {
    using at = server();
    using raw = await open(at.port);
    const head = block(fields);
    raw.write(frame(HEADERS, END_STREAM | (head.length > 16_384 ? 0 : END_HEADERS), 1, head.subarray(0, 16_384)));
    for (let at = 16_384; at < head.length; at += 16_384) {
      const last = at + 16_384 >= head.length;
      raw.write(frame(CONTINUATION, last ? END_HEADERS : 0, 1, head.subarray(at, at + 16_384)));
    }
    assert.is((await raw.response(1)).status, status);
    raw.request(3);
    assert.is((await raw.response(3)).status, "200");
  });
}

// ---- what may be, and has to be borne

test("what a client may say besides: unknown frames, settings and flags, priorities, trailers, padding", async () => {
  using at = server();
  using raw = await open(at.port, setting(0x7777, 1));
  raw.write(frame(0x77, 0xff, 0, "whatever"), frame(0x77, 0xff, 99, ""), frame(PRIORITY, 0, 101, "\0\0\0\x01\x01"));
  raw.write(frame(0x10, 0, 0, Buffer.concat([uint32(201), Buffer.from("u=1, i")])));
  const padded = Buffer.concat([
    Buffer.from([3]),
    Buffer.from("\0\0\0\x03\x05", "latin1"),
    block(POST),
    Buffer.alloc(3),
  ]);
  raw.write(frame(HEADERS, END_HEADERS | PADDED | 0x20 | 0x40, 1, padded));
  raw.write(frame(DATA, PADDED, 1, "\x02ab\0\0"), frame(DATA, 0, 1, "cd"), frame(DATA, PADDED, 1, "\0"));
  raw.request(1, [["x-trailer", "y"]]);
  assert.is(`${(await raw.response(1)).body}`, "POST abcd");
});

test("SETTINGS are acknowledged, each; PING is answered with what it carried, its answer is not", async () => {
  using at = server();
  using raw = await open(at.port, setting(3, 7));
  raw.write(frame(SETTINGS, 0, 0, setting(6, 100_000)));
  raw.write(frame(PING, 1, 0, "notanask"), frame(PING, 0, 0, "\x01pingme\xff"));
  const pong = await raw.frame(({ type, flags }) => type === PING && flags === ACK, "an answer");
  assert.is(pong.payload.toString("latin1"), "\x01pingme\xff");
  await raw.settled();
  const acknowledged = raw.frames.filter(({ type, flags }) => type === SETTINGS && flags === ACK);
  assert.equal(
    acknowledged.map(({ payload }) => payload.length),
    [0, 0],
  );
  assert.is(raw.frames.filter(({ type }) => type === PING).length, 2);
});

test("the server's preface is SETTINGS, which say what may be sent (3.4, 6.5.2)", async () => {
  using at = server();
  using raw = await open(at.port);
  await raw.settled();
  const [first] = raw.frames;
  assert.equal([first.type, first.flags, first.stream], [SETTINGS, 0, 0]);
  const said = new Map<number, number>();
  for (let i = 0; i < first.payload.length; i += 6) {
    said.set(first.payload.readUInt16BE(i), first.payload.readUInt32BE(i + 2));
  }
  assert.equal(
    [...said],
    [
      [3, 100],
      [6, 1_048_576],
      [8, 1],
      [9, 1],
    ],
  );
});

test("the reserved bit of a stream's number, and of an increment, is ignored (4.1, 6.9)", async () => {
  using at = server();
  using raw = await open(at.port, setting(4, 0));
  raw.request(2 ** 31 + 1, POST, END_HEADERS);
  raw.write(frame(DATA, END_STREAM, 1, "x"), frame(WINDOW_UPDATE, 0, 2 ** 31 + 1, uint32(2 ** 31 + 100)));
  assert.is(`${(await raw.response(1)).body}`, "POST x");
});

test("a request without :authority takes its host, one with te: trailers is well", async () => {
  using at = server();
  using raw = await open(at.port);
  raw.request(1, [...without(":authority"), ["host", "x"], ["te", "trailers"]]);
  assert.is((await raw.response(1)).status, "200");
});

test("frames in any pieces", async () => {
  using at = server();
  const bytes = Buffer.concat([
    Buffer.from(PREFACE),
    frame(SETTINGS, 0, 0),
    frame(SETTINGS, ACK, 0),
    frame(HEADERS, 0, 1, block(POST).subarray(0, 10)),
    frame(CONTINUATION, END_HEADERS, 1, block(POST).subarray(10)),
    frame(DATA, PADDED, 1, "\x03hello\0\0\0"),
    frame(DATA, END_STREAM, 1, " world"),
  ]);
  for (const size of [1, 2, 7, 100]) {
    using raw = await open(at.port);
    raw.client[Symbol.dispose]();
    using client = await connectRaw(at.port);
    for (let i = 0; i < bytes.length; i += size) await client.send(bytes.subarray(i, i + size));
    await client.saw("POST hello world");
  }
});

test("frames for a stream that we have reset are dropped, whatever it was that was on its way", async () => {
  using at = server();
  using raw = await open(at.port);
  raw.request(1, [...POST, ["content-length", "1"]], END_HEADERS);
  raw.write(frame(DATA, 0, 1, "ab"));
  assert.is(await raw.reset(1), PROTOCOL_ERROR);
  raw.write(frame(DATA, 0, 1, "cd"), frame(WINDOW_UPDATE, 0, 1, uint32(1)));
  raw.request(1, [["x", "y"]]);
  raw.write(frame(RST_STREAM, 0, 1, uint32(8)));
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
});

test("a client that reduces its table is told that we know, in the next header block only (4.3.1)", async () => {
  using at = server();
  using raw = await open(at.port);
  const first = async (id: number): Promise<number> => {
    raw.request(id);
    await raw.response(id);
    return raw.frames.find((one) => one.type === HEADERS && one.stream === id)?.payload[0] ?? -1;
  };
  assert.is(await first(1), 0x88);
  raw.write(frame(SETTINGS, 0, 0, setting(1, 100)));
  assert.is(await first(3), 0x20);
  assert.is(await first(5), 0x88);
  raw.write(frame(SETTINGS, 0, 0, setting(1, 100)));
  assert.is(await first(7), 0x88);
});

test("GOAWAY of the client: what it has opened is answered, then the connection ends", async () => {
  const gate = Promise.withResolvers<void>();
  using at = start(() => gate.promise.then(() => new Response("x")), { h2c: true });
  using raw = await open(at.port);
  raw.request(1);
  raw.write(frame(GOAWAY, 0, 0, uint32(0, NO_ERROR)));
  await raw.settled();
  gate.resolve();
  assert.is((await raw.response(1)).status, "200");
  assert.is(await raw.goaway(), NO_ERROR);
});

test("strings of any kind come out as they went in", async () => {
  using at = start((request) => new Response(request.headers.get("x-text")), {
    h2c: true,
  });
  using raw = await open(at.port);
  const value = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))
    .filter((c) => c >= " " && c !== "\x7f")
    .join("")
    .trim();
  raw.request(1, but(["x-text", value]));
  assert.is(`${(await raw.response(1)).body}`, value);
  // The same as an entry of the table, said once and meant twice.
  const kept = Buffer.concat([Buffer.from([0x40]), text("x-text"), text("kept")]);
  raw.write(frame(HEADERS, 5, 3, Buffer.concat([block(GET), kept])));
  raw.write(frame(HEADERS, 5, 5, Buffer.concat([block(GET), Buffer.from([0xbe])])));
  for (const id of [3, 5]) assert.is(`${(await raw.response(id)).body}`, "kept");
});

test.run();

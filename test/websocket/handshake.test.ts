// The opening handshake (RFC 6455, 4.2), and what becomes of a request that asks wrongly.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errors } from "../../src/runtime/errors.ts";
import { parseOffers } from "../../src/websocket/extensions.ts";
import { upgradeWebSocket } from "../../src/websocket/mod.ts";
import { connect } from "../http/support/client.ts";
import { parseResponses } from "../http/support/responses.ts";
import { frame, HANDSHAKE, handshake, RawSocket, rawSocket } from "./support/raw.ts";
import { clients, echo, ending, eventually, logged, opening, sockets, start } from "./support/server.ts";

test("the answer has the key's hash, and nothing that frames a body", async () => {
  using server = sockets(() => {});
  using raw = await rawSocket(server.port);
  const [line, ...fields] = raw.head.trimEnd().split("\r\n");
  assert.is(line, "HTTP/1.1 101 Switching Protocols");
  const named = Object.fromEntries(fields.map((field) => field.split(": ")));
  // The example of RFC 6455, 1.3.
  assert.is(named["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.is(named.upgrade, "websocket");
  assert.is(named.connection, "Upgrade");
  assert.is(named["content-length"], undefined);
  assert.is(named["transfer-encoding"], undefined);
});

const NO_RESPONSE = parseResponses(Buffer.from("HTTP/1.1 204 x\r\n\r\n"), [], true).responses[0];
const without = (name: string): string[] => HANDSHAKE.filter((line) => !line.startsWith(name));
const wrong: Record<string, [string[], number, string]> = {
  "no Upgrade": [without("Upgrade"), 426, "Invalid Header: 'upgrade' header must contain 'websocket'"],
  "another protocol": [[...without("Upgrade"), "Upgrade: h2c"], 426, "Invalid Header: 'upgrade' header"],
  "no Connection": [without("Connection"), 400, "Invalid Header: 'connection' header must contain 'Upgrade'"],
  "no key": [without("Sec-WebSocket-Key"), 400, "Invalid Header: 'sec-websocket-key' header must be set"],
  "a short key": [[...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: eHg="], 400, "Invalid Header"],
  "a long key": [
    [...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="],
    400,
    "Invalid Header",
  ],
  "two keys": [[...HANDSHAKE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400, "Invalid Header"],
  "no version": [without("Sec-WebSocket-Version"), 426, "Invalid Header: 'sec-websocket-version'"],
  "version 8": [[...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"], 426, "Invalid Header"],
  POST: [["POST / HTTP/1.1", ...without("GET"), "Content-Length: 0"], 400, "Invalid method"],
  "HTTP/1.0": [["GET / HTTP/1.0", ...without("GET")], 400, "Invalid version"],
  "extensions that are no list": [[...HANDSHAKE, "Sec-WebSocket-Extensions: a; =1"], 400, "Invalid Header"],
};
for (const [what, [lines, status, message]] of Object.entries(wrong)) {
  test(`${what}: a TypeError for the handler, ${status} for the client, and no line in the log`, async () => {
    const thrown: unknown[] = [];
    using server = start((request) => {
      try {
        return upgradeWebSocket(request).response;
      } catch (error) {
        thrown.push(error);
        throw error;
      }
    });
    using client = await connect(server.port);
    let response = NO_RESPONSE;
    const log = await logged(async () => {
      client.write(`${lines.join("\r\n")}\r\n\r\n`);
      response = await client.response();
    });
    assert.is(response.status, status);
    assert.ok(String(response.body).startsWith(message), String(response.body));
    assert.instance(thrown[0], TypeError);
    assert.equal(log, []);
    if (status !== 426) return;
    assert.is(response.header("upgrade"), "websocket");
    assert.is(response.header("sec-websocket-version"), "13");
    assert.match(response.header("connection") ?? "", /upgrade/);
  });
}

test("tokens in any case, and within lists", async () => {
  using server = sockets(echo);
  using client = await connect(server.port);
  const lines = [...without("Upgrade").filter((line) => !line.startsWith("Connection"))];
  client.write(`${[...lines, "upgrade: x, WebSocket", "connection: keep-alive, UPGRADE"].join("\r\n")}\r\n\r\n`);
  await client.saw("\r\n\r\n");
  assert.ok(client.text.startsWith("HTTP/1.1 101 "));
});

test("what comes right behind the request is the first frame", async () => {
  for (const late of [false, true]) {
    using server = start(async (request) => {
      if (late) await new Promise((resolve) => setImmediate(resolve));
      const { socket, response } = upgradeWebSocket(request);
      echo(socket);
      return response;
    });
    using client = await connect(server.port);
    client.write(Buffer.concat([Buffer.from(handshake()), frame(1, "early"), frame(1, "bird").subarray(0, 3)]));
    await client.saw("\r\n\r\n");
    const raw = new RawSocket(client);
    assert.is((await raw.next(1))[0].payload.toString(), "early", late ? "late" : "at once");
  }
});

test("a protocol that the client offers, and none that it does not", async () => {
  using server = sockets(() => {}, { protocol: "soap" });
  for (const Client of Object.values(clients)) {
    const client = new Client(server.url.replace("http", "ws"), ["wamp", "soap"]);
    await opening(client);
    assert.is(client.protocol, "soap");
    client.close();
    await ending(client);
  }
  using refused = await connect(server.port);
  refused.write(handshake("Sec-WebSocket-Protocol: wamp"));
  const response = await refused.response();
  assert.is(response.status, 400);
  assert.is(String(response.body), "Protocol 'soap' not in the request's protocol list (non negotiable)\n");
});

test("a request that came from nowhere, and a response for another request", async () => {
  const error = await (async () => upgradeWebSocket(new Request("http://x/", { headers: HEADERS })))().catch(String);
  assert.match(String(error), /takes the request that the handler was given/);
  let first: Response | undefined;
  using server = start((request) => {
    const { response } = upgradeWebSocket(request);
    first ??= response;
    return first;
  });
  using raw = await rawSocket(server.port);
  raw.write(frame(8));
  using second = await connect(server.port);
  const log = await logged(async () => {
    second.write(handshake());
    assert.is((await second.response()).status, 500);
  });
  assert.match(log.join(), /answers another request/);
});

const HEADERS = Object.fromEntries(HANDSHAKE.slice(2).map((line) => line.split(": ")));

test("a request that was upgraded already", async () => {
  let second: unknown;
  using server = start((request) => {
    const { response } = upgradeWebSocket(request);
    try {
      upgradeWebSocket(request);
    } catch (error) {
      second = error;
    }
    return response;
  });
  using client = await connect(server.port);
  client.write(handshake());
  assert.is((await client.response()).status, 101);
  assert.instance(second, errors.Http);
  assert.is((second as Error).message, "Already upgraded");
});

test("an upgrade whose response is not returned ends with an error", async () => {
  let ends: Promise<unknown> | undefined;
  using server = start((request) => {
    ends = ending(upgradeWebSocket(request).socket);
    return new Response("no");
  });
  using client = await connect(server.port);
  client.write(handshake());
  assert.is((await client.response()).status, 200);
  assert.equal(await ends, {
    code: 1006,
    reason: "",
    clean: false,
    error: "the request was answered with something else than the upgrade's response",
  });
});

test("a request that a middleware has copied", async () => {
  using server = start((request) => {
    const { socket, response } = upgradeWebSocket(new Request(request));
    echo(socket);
    return response;
  });
  using raw = await rawSocket(server.port);
  raw.write(frame(1, "x"));
  assert.is((await raw.next(1))[0].payload.toString(), "x");
});

test("nothing can be sent before it is open, and everything is dropped afterwards", async () => {
  let socket: WebSocket | undefined;
  let early: unknown;
  using server = sockets((one) => {
    socket = one;
    try {
      one.send("too early");
    } catch (error) {
      early = error;
    }
  });
  using raw = await rawSocket(server.port);
  assert.is((early as DOMException).name, "InvalidStateError");
  raw.write(frame(8));
  await eventually(() => socket?.readyState === 3, "it is closed");
  socket?.send("too late");
  assert.is(socket?.bufferedAmount, 8);
});

test("fields that the handler adds, and a socket that it closes at once", async () => {
  using server = start((request) => {
    const { socket, response } = upgradeWebSocket(request);
    response.headers.append("set-cookie", "a=b");
    socket.close(1013, "later");
    assert.is(socket.readyState, 2);
    return response;
  });
  using raw = await rawSocket(server.port);
  assert.match(raw.head, /set-cookie: a=b\r\n/);
  const [close] = await raw.next(1);
  assert.equal([close.opcode, close.payload.readUInt16BE(0), close.payload.subarray(2).toString()], [8, 1013, "later"]);
  raw.write(frame(8, close.payload));
  await raw.end();
});

test("codes that may not be sent, and reasons that are too long", async () => {
  const thrown: string[] = [];
  using server = sockets((socket) => {
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, Number.NaN]) {
      try {
        socket.close(code);
      } catch (error) {
        thrown.push((error as DOMException).name);
      }
    }
    try {
      socket.close(1000, "ä".repeat(62));
    } catch (error) {
      thrown.push((error as DOMException).name);
    }
  });
  using raw = await rawSocket(server.port);
  assert.equal(thrown, [...new Array(10).fill("InvalidAccessError"), "SyntaxError"]);
  raw.write(frame(8));
  await raw.end();
});

test("offers of extensions", () => {
  const names = (field: string): unknown =>
    parseOffers(field)?.map(({ name, parameters }) => [name, ...parameters.entries()].flat());
  assert.equal(names(""), []);
  assert.equal(names(" , "), []);
  assert.equal(names("a, b"), [["a"], ["b"]]);
  assert.equal(names('a;x;y=1 ; z = "2" ,b'), [["a", "x", undefined, "y", "1", "z", "2"], ["b"]]);
  assert.equal(names("a; x; x, b"), [["b"]]);
  for (const bad of ["a;", "a b", "a; x=", 'a; x="', 'a; x="a b"', "=", "a; x=1=2", "ä"])
    assert.is(names(bad), undefined, bad);
});

test.run();

// Upstreams that fail, in every way there is, and clients that do: what each side sees, and what is tried again.
import type { Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { proxyCounters as counters } from "../../src/proxy/counters.ts";
import { rawServer, saying, until } from "../client/support.ts";
import { connect } from "../http/support/client.ts";
import type { RawResponse } from "../http/support/responses.ts";
import { logged } from "../support/logged.ts";
import { overTls } from "../support/tls.ts";
import { deadPort, echo, nodeUpstream, proxied, type TestProxy } from "./support.ts";

async function ask(edge: TestProxy, request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"): Promise<RawResponse> {
  using client = await connect(edge.port);
  client.write(request);
  return await client.response();
}
const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";

test("nobody listens: 502, one line, and the same when asked again", async () => {
  const port = await deadPort();
  using edge = proxied(`http://127.0.0.1:${port}`);
  const lines = await logged(async () => {
    for (const request of [undefined, POST]) {
      const response = await ask(edge, request);
      assert.is(response.status, 502);
      assert.is(response.text(), "the upstream server gave no valid answer\n");
    }
  });
  const own = lines.filter((line) => / (?:GET|POST) \/ to /.test(line));
  assert.is(own.length, 2, lines.join("\n"));
  assert.match(own[0], /proxy: GET \/ to http:\/\/127\.0\.0\.1:\d+: Connection refused/);
});

const malformed: Readonly<Record<string, string>> = {
  "both lengths":
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
  "a folded line": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
  "a line end within a value": "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
  "a space before a colon": "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
  "another protocol": "SSH-2.0-OpenSSH_9.9\r\n",
  "a protocol that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  "a head without an end": `HTTP/1.1 200 OK\r\n${`X: ${"x".repeat(1000)}\r\n`.repeat(300)}`,
  "a head that nobody could be sent": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\nContent-Length: 0\r\n\r\n`,
  "nothing, and its end": "",
};
for (const [what, said] of Object.entries(malformed)) {
  test(`an answer that is none is 502, and nothing of it gets through: ${what}`, async () => {
    const upstream = await saying(said, true);
    try {
      using edge = proxied(upstream.base);
      await logged(async () => {
        const response = await ask(edge, POST);
        assert.is(response.status, 502);
        assert.is(response.header("set-cookie"), null);
      });
    } finally {
      upstream.close();
    }
  });
}

for (const [what, head, body] of [
  ["with a length", "Content-Length: 100", "half"],
  ["in chunks", "Transfer-Encoding: chunked", "4\r\nhalf\r\n"],
  ["with a broken chunk", "Transfer-Encoding: chunked", "4\r\nhalf\r\n"],
] as const) {
  test(`an answer ${what} that breaks off is cut, not ended`, async () => {
    const upstream = await rawServer((socket) => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`));
    try {
      using edge = proxied(upstream.base);
      const lines = await logged(async () => {
        using client = await connect(edge.port);
        client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.saw("half");
        upstream.sockets[0].end(what === "with a broken chunk" ? "zz\r\n" : "");
        await client.gone();
        assert.not.match(client.text, /\r\n0\r\n\r\n$/);
      });
      assert.match(lines.join("\n"), /a response was cut off/);
    } finally {
      upstream.close();
    }
  });
}

test("an answer that ends with its connection ends as an answer", async () => {
  const upstream = await saying("HTTP/1.0 200 OK\r\n\r\nall of it", true);
  try {
    using edge = proxied(upstream.base);
    const response = await ask(edge);
    assert.equal([response.framing, response.text()], ["chunked", "all of it"]);
  } finally {
    upstream.close();
  }
});

test("no answer in time is 504, and is not asked of another", async () => {
  const silent = await rawServer(() => {});
  using other = await nodeUpstream(echo);
  try {
    using edge = proxied([silent.base, other.base], { headerTimeout: 50 });
    const lines = await logged(async () => {
      const response = await ask(edge);
      assert.equal([response.status, response.text()], [504, "the upstream server did not answer in time\n"]);
    });
    assert.match(lines.join("\n"), /no response came within 50 ms|no response/);
    assert.is(other.count, 0);
  } finally {
    silent.close();
  }
});

test("a body that stands still is cut; an event stream may", async () => {
  const upstream = await rawServer((socket, head) => {
    const type = head.startsWith("GET /events") ? "text/event-stream" : "text/plain";
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 100\r\n\r\nhalf`);
    if (type === "text/event-stream") setTimeout(() => socket.write("x".repeat(96)), 250);
  });
  try {
    using edge = proxied(upstream.base, { bodyTimeout: 50 });
    await logged(async () => {
      using client = await connect(edge.port);
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await client.gone();
      assert.match(client.text, /half$/);
      assert.is((await ask(edge, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")).body.length, 100);
    });
  } finally {
    upstream.close();
  }
});

test("who refuses is left out for the next; a body that nobody has seen goes with it", async () => {
  const dead = await deadPort();
  using well = await nodeUpstream(echo);
  using edge = proxied([`http://127.0.0.1:${dead}`, well.base], { failTimeout: 60_000 });
  const lines = await logged(async () => {
    const large = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n${"b".repeat(200_000)}`;
    assert.is(JSON.parse((await ask(edge, large)).text()).length, 200_000);
    for (let i = 0; i < 4; i++) assert.is((await ask(edge, POST)).status, 200);
  });
  assert.is(well.count, 5);
  assert.is(lines.filter((line) => /is out:/.test(line)).length, 1, lines.join("\n"));
  assert.is(lines.filter((line) => / to http/.test(line)).length, 1);
});

test("who closes without a word: GET is asked of the next, POST is not", async () => {
  let asked = 0;
  const rude = await rawServer((socket) => {
    asked++;
    socket.destroy();
  });
  using well = await nodeUpstream(echo);
  try {
    for (const [request, status] of [
      [undefined, 200],
      [POST, 502],
    ] as const) {
      // A fresh one for each: the rude one comes first.
      using edge = proxied([rude.base, well.base]);
      await logged(async () => assert.is((await ask(edge, request)).status, status));
    }
    assert.equal([asked, well.count], [2, 1]);
  } finally {
    rude.close();
  }
});

test("nothing is asked again of which a byte has come", async () => {
  const half = await saying("HTTP/1.1 200 OK\r\nConte", true);
  using well = await nodeUpstream(echo);
  try {
    using edge = proxied([half.base, well.base]);
    await logged(async () => assert.is((await ask(edge)).status, 502));
    assert.is(well.count, 0);
  } finally {
    half.close();
  }
});

test("a kept connection that its server has closed meanwhile is no failure of the server's", async () => {
  let n = 0;
  const upstream = await rawServer((socket) => {
    // The second request on a connection finds it closed.
    if (++n === 2) return socket.destroy();
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  try {
    using edge = proxied(upstream.base);
    const lines = await logged(async () => {
      assert.is((await ask(edge)).status, 200);
      assert.is((await ask(edge)).status, 200);
    });
    assert.equal([n, lines], [3, []]);
  } finally {
    upstream.close();
  }
});

test("tries have a bound", async () => {
  let asked = 0;
  const rude = await Promise.all(
    Array.from({ length: 4 }, () =>
      rawServer((socket) => {
        asked++;
        socket.destroy();
      }),
    ),
  );
  try {
    using edge = proxied(
      rude.map(({ base }) => base),
      { tries: 2 },
    );
    await logged(async () => assert.is((await ask(edge)).status, 502));
    assert.is(asked, 2);
  } finally {
    for (const one of rude) one.close();
  }
});

test("an upstream that is out comes back by one request", async () => {
  const port = await deadPort();
  using first = await nodeUpstream((_, response) => response.end("first"));
  using edge = proxied([`http://127.0.0.1:${port}`, first.base], { failTimeout: 30 });
  await logged(async () => assert.is((await ask(edge)).text(), "first"));
  assert.is(counters.out, 1);
  assert.equal(edge.handler.upstreams, [
    { name: `http://127.0.0.1:${port}`, state: "out", requests: 0 },
    { name: first.base, state: "in", requests: 0 },
  ]);
  using second = await nodeUpstream((_, response) => response.end("second"), port);
  const lines = await logged(() => until(async () => (await ask(edge)).text() === "second"));
  assert.match(lines.join("\n"), /127\.0\.0\.1:\d+ is back/);
  assert.is(counters.out, 0);
  assert.ok(second.count > 0);
});

test("a check puts an upstream out, and brings it back", async () => {
  let well = false;
  using sick = await nodeUpstream((request, response) => {
    if (request.url === "/healthz") response.statusCode = well ? 200 : 503;
    response.end("sick");
  });
  using other = await nodeUpstream((_, response) => response.end("other"));
  using edge = proxied([sick.base, other.base], { healthPath: "/healthz", healthInterval: 20, failTimeout: 60_000 });
  const lines = await logged(async () => {
    await until(() => counters.out === 1);
    for (let i = 0; i < 4; i++) assert.is((await ask(edge)).text(), "other");
    well = true;
    await until(() => counters.out === 0);
    const both = new Set<string>();
    for (let i = 0; i < 4; i++) both.add((await ask(edge)).text());
    assert.equal([...both].sort(), ["other", "sick"]);
  });
  assert.match(lines.join("\n"), /is out: \/healthz answers 503/);
});

test("in turn, or the one with the fewest open requests", async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answering = (name: string) =>
    nodeUpstream((request, response) => {
      if (request.url === "/hold") void held.then(() => response.end(name));
      else response.end(name);
    });
  using a = await answering("a");
  using b = await answering("b");
  using turns = proxied([a.base, b.base]);
  const names: string[] = [];
  for (let i = 0; i < 4; i++) names.push((await ask(turns)).text());
  assert.is(names.join(""), "abab");
  using least = proxied([a.base, b.base], { balance: "least-requests" });
  const before = a.count;
  const waits = ask(least, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => a.count > before);
  for (let i = 0; i < 3; i++) assert.is((await ask(least)).text(), "b");
  release();
  assert.is((await waits).text(), "a");
});

test("a request that comes back is ended: 508", async () => {
  // It asks itself, in the clear.
  if (overTls) return;
  const port = await deadPort();
  const inner = proxied(`http://127.0.0.1:${port}`, { name: "round" }, { port });
  try {
    const lines = await logged(async () => {
      assert.is((await ask(inner)).status, 508);
    });
    assert.match(lines.join("\n"), /came back to where it had been/);
    using other = await nodeUpstream(echo);
    using edge = proxied(other.base, { name: "round" });
    const via = (value: string): string => `GET / HTTP/1.1\r\nHost: x\r\nVia: ${value}\r\n\r\n`;
    assert.is((await ask(edge, via("1.1 rounder, 1.0 a (round)"))).status, 200);
    await logged(async () => {
      assert.is((await ask(edge, via("1.1 a, HTTP/1.1 round (x), 1.1 b"))).status, 508);
      assert.is((await ask(edge, via("1.1 a, ".repeat(70)))).status, 508);
    });
  } finally {
    inner[Symbol.dispose]();
  }
});

test("Max-Forwards is counted, and the last hop answers", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  const options = (left: number): string => `OPTIONS / HTTP/1.1\r\nHost: x\r\nMax-Forwards: ${left}\r\n\r\n`;
  assert.is((await ask(edge, options(0))).status, 204);
  assert.is(upstream.count, 0);
  const { rawHeaders } = JSON.parse((await ask(edge, options(5))).text());
  assert.is(rawHeaders[rawHeaders.indexOf("max-forwards") + 1], "4");
  assert.is((await ask(edge, "TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n")).status, 405);
  assert.is((await ask(edge, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n")).status >= 400, true);
});

test("a client that goes away takes its request to the upstream with it, before the answer and within it", async () => {
  for (const begun of [false, true]) {
    let upstreamSocket: Socket | undefined;
    const upstream = await rawServer((socket) => {
      upstreamSocket = socket;
      if (begun) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf");
    });
    try {
      using edge = proxied(upstream.base);
      using client = await connect(edge.port);
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await until(() => upstreamSocket !== undefined);
      if (begun) await client.saw("half");
      const aborted = counters.results[8];
      client.reset();
      await until(() => upstreamSocket?.destroyed === true || upstreamSocket?.readableEnded === true);
      if (!begun) await until(() => counters.results[8] === aborted + 1);
      assert.is(counters.out, 0);
    } finally {
      upstream.close();
    }
  }
});

test("a client that goes away within its request's body is no failure of the upstream's", async () => {
  const upstream = await rawServer(() => {});
  try {
    using edge = proxied(upstream.base);
    const lines = await logged(async () => {
      using client = await connect(edge.port);
      client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
      await until(() => upstream.sockets.length === 1);
      client.reset();
      await until(() => upstream.sockets[0].destroyed || upstream.sockets[0].readableEnded);
    });
    assert.equal([lines, counters.out], [[], 0]);
  } finally {
    upstream.close();
  }
});

test("an upstream that answers before the upload is done is heard", async () => {
  const upstream = await rawServer((socket) => {
    socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
  });
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegin");
    const response = await client.response();
    assert.equal([response.status, response.text()], [413, "no\n"]);
  } finally {
    upstream.close();
  }
});

test("a client that reads slowly stops the upstream", async () => {
  let sent = 0;
  using upstream = await nodeUpstream((_, response) => {
    const piece = Buffer.alloc(256 * 1024);
    const go = (): void => {
      while (sent < 512 * 1024 * 1024) {
        sent += piece.length;
        if (!response.write(piece)) return void response.once("drain", go);
      }
    };
    go();
  });
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.socket.pause();
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => sent > 0);
  for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 60))) before = sent;
  assert.ok(sent < 128 * 1024 * 1024, `${sent} bytes`);
  client.reset();
});

test("an upstream that reads slowly stops the client", async () => {
  const upstream = await rawServer((socket) => socket.pause());
  try {
    using edge = proxied(upstream.base, {}, { maxBodyBytes: "none" });
    using client = await connect(edge.port);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    await until(() => upstream.sockets.length === 1);
    const piece = Buffer.alloc(1024 * 1024);
    let sent = 0;
    const go = (): void => {
      while (sent < 900 * 1024 * 1024 && client.socket.write(piece)) sent += piece.length;
      client.socket.once("drain", go);
    };
    go();
    for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 60))) before = sent;
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes`);
    client.reset();
  } finally {
    upstream.close();
  }
});

test("smuggling: what two could read differently does not reach the upstream", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  await logged(async () => {
    for (const fields of [
      "Content-Length: 4\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
      "Transfer-Encoding: xchunked",
      "Content-Length: 4\r\nContent-Length: 5",
      "Content-Length: +4",
      "X: a\r\n b: c",
      "Transfer-Encoding : chunked",
    ]) {
      const response = await ask(
        edge,
        `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n`,
      );
      assert.ok(response.status >= 400, fields);
    }
  });
  assert.is(upstream.count, 0);
});

test("the drain waits for what is being passed on", async () => {
  let release = (): void => {};
  using upstream = await nodeUpstream((_, response) => {
    release = () => response.end("late");
  });
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => upstream.count === 1);
  const drained = edge.server.drain();
  release();
  assert.is((await client.response()).text(), "late");
  assert.equal(await drained, { cut: 0 });
});

test.run();

/** The access log: what stands in a line, whatever clients send. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HeadFields } from "../../src/fetch/head.ts";
import { type ExchangeRecord, observer } from "../../src/http/observer.ts";
import { accessText, startAccessLog } from "../../src/log/access.ts";
import { replaceClock } from "../../src/runtime/clock.ts";
import { droppedLines } from "../../src/runtime/log-rate.ts";
import { temporaryFolder } from "../support/process.ts";
import { ask, startLogServer } from "./support.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const parent = "b7ad6b7169203331";

/** Starts a server whose log goes to a file, lets `work` use it, and gives the lines of its access log. */
async function accessLines(format: string, work: (port: number) => Promise<unknown>): Promise<string[]> {
  const path = join(temporaryFolder(), "log");
  const fd = openSync(path, "a");
  const server = await startLogServer([format, "access"], fd);
  closeSync(fd);
  await work(server.port);
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, [0, null]);
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(1);
}

/** Sends bytes as they are, gives what comes until the server closes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    socket.setEncoding("latin1").on("data", (part) => (text += part));
    socket.on("end", () => resolve(text)).on("error", reject);
    socket.setTimeout(20_000, () => socket.destroy(new Error("no end in 20 s")));
  });
}

test("JSON: OpenTelemetry's names", async () => {
  const [line] = await accessLines("json", (port) =>
    ask(
      port,
      "/echo?q=1&r=2",
      {
        "user-agent": "test/1.0",
        referer: "http://example.org/",
        "x-request-id": "mine-1",
        traceparent: `00-${trace}-${parent}-01`,
      },
      "five!",
    ),
  );
  const record = JSON.parse(line);
  assert.type(record.duration_ms, "number");
  assert.ok(record.duration_ms > 0 && record.duration_ms < 60_000);
  assert.ok(record["http.response.size"] > 20 && record["http.response.size"] < 400);
  assert.ok(record["client.port"] > 0);
  const { time, pid, duration_ms, "http.response.size": size, "client.port": port, ...rest } = record;
  assert.match(time, /^\d{4}-.*Z$/);
  assert.equal(rest, {
    level: "info",
    "event.name": "http.access",
    "client.address": "127.0.0.1",
    "http.request.method": "POST",
    "url.path": "/echo",
    "url.query": "q=1&r=2",
    "network.protocol.name": "http",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "http.request.body.size": 5,
    "user_agent.original": "test/1.0",
    "http.request.header.referer": "http://example.org/",
    request_id: "mine-1",
    trace_id: trace,
    parent_span_id: parent,
    trace_sampled: true,
    message: "POST /echo?q=1&r=2 200",
  });
});

test("text: the Combined Log Format, with the duration and the id behind", async () => {
  const lines = await accessLines("text", async (port) => {
    await ask(port, "/a?b", { "user-agent": 'say "hi" \\', referer: "http://example.org/" });
    await raw(port, "GET /c HTTP/1.0\r\nX-Request-Id: old\r\n\r\n");
  });
  assert.match(
    lines[0],
    /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\?b HTTP\/1\.1" 200 \d+ "http:\/\/example\.org\/" "say \\"hi\\" \\\\" [\d.]+ms [0-9a-z]{11}-1$/,
  );
  assert.match(lines[1], /"GET \/c HTTP\/1\.0" 200 \d+ "-" "-" [\d.]+ms old$/);
});

test("the id is the client's if that is one, else ours; it is sent back; the handler sees what the client sent", async () => {
  const lines = await accessLines("json", async (port) => {
    const kept = await ask(port, "/", { "x-request-id": "abc.DEF:1" });
    assert.is(kept.headers["x-request-id"], "abc.DEF:1");
    const made = await ask(port, "/");
    assert.match(String(made.headers["x-request-id"]), /^[0-9a-z]{11}-1$/);
    const refused = await ask(port, "/", { "x-request-id": `${"x".repeat(129)}` });
    assert.match(String(refused.headers["x-request-id"]), /^[0-9a-z]{11}-2$/);
    const own = await ask(port, "/id", { "x-request-id": "shown to the handler" });
    assert.match(own.body, /^shown to the handler [0-9a-z]{11}-3$/);
    assert.is(own.headers["x-request-id"], "the handler's");
    // Two of them are none.
    const two = await raw(
      port,
      "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: b\r\nConnection: close\r\n\r\n",
    );
    assert.match(two, /^x-request-id: [0-9a-z]{11}-4\r$/m);
    // An error has one too.
    const failed = await ask(port, "/fails", { "x-request-id": "to-find-it" });
    assert.is(failed.headers["x-request-id"], "to-find-it");
  });
  const all = lines.map((line) => JSON.parse(line));
  assert.is(all.find((line) => line.level === "error")?.request_id, "to-find-it");
  const ids = all.filter((line) => line["event.name"] === "http.access");
  assert.equal(
    ids.map((line) => line.request_id.replace(/^[0-9a-z]{11}-/, "made-")),
    ["abc.DEF:1", "made-1", "made-2", "made-3", "made-4", "to-find-it"],
  );
});

test("bytes that are no text act on nothing, in both formats, and long ones are cut", async () => {
  const agent = "\x9b31m \xe2\x80\xae\xe2\x80\xa8 \xf0\x9f\x98\x80\xff";
  const utf8 = Buffer.from("größe \u202e\u0085 😀", "utf8").toString("latin1");
  const work = async (port: number) => {
    const close = "Connection: close\r\n\r\n";
    await raw(port, `GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: ${agent}\r\n${close}`);
    await raw(port, `GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: ${utf8}\r\n${close}`);
    await raw(
      port,
      `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\nUser-Agent: ${"u".repeat(100_000)}\r\nReferer: ${"r".repeat(100_000)}\r\n${close}`,
    );
  };
  const json = await accessLines("json", work);
  assert.is(json.length, 4);
  assert.is(JSON.parse(json[0])["user_agent.original"], agent);
  assert.is(JSON.parse(json[1])["user_agent.original"], "größe \u202e\u0085 😀");
  const text = await accessLines("text", work);
  assert.is(text.length, 4);
  assert.match(text[1], /"größe \\u202e\\x85 😀"/);
  for (const line of [...json, ...text]) {
    assert.not.match(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    assert.ok(line.length < 5000, `${line.length} characters`);
  }
});

test("requests that were never answered whole say so", () => {
  const record: ExchangeRecord = {
    method: "GET",
    target: "/slow",
    version: "1.1",
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 12.34567,
    remoteAddr: { transport: "unix", path: "/run/a b.sock" },
    head: "GET /slow HTTP/1.1\r\nHost: x",
    fieldsStart: 20,
    requestId: "id",
    aborted: true,
  };
  const line = accessText(record, new HeadFields(record.head, record.fieldsStart), Date.UTC(2026, 10, 5, 1, 2, 3, 4));
  assert.is(
    line,
    'unix:/run/a\\x20b.sock - - [05/Nov/2026:01:02:03 +0000] "GET /slow HTTP/1.1" 499 0 "-" "-" 12.346ms id aborted\n',
  );
});

test("what is refused stands in it too, and whoever is gone is still known by address", async () => {
  const ports: number[] = [];
  const lines = await accessLines("json", async (port) => {
    assert.match(await raw(port, "nonsense\r\n\r\n"), /^HTTP\/1\.1 400 /);
    const large = `POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 40}\r\n\r\n`;
    assert.match(await raw(port, large), /^HTTP\/1\.1 413 /);
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        ports.push(socket.localPort ?? 0);
        socket.write("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", () => {
          // Its request is known by now, for another one has been answered since.
          ask(port, "/").then(() => {
            socket.resetAndDestroy();
            resolve();
          }, resolve);
        });
      });
    });
    await ask(port, "/last");
  });
  const access = lines
    .map((line) => JSON.parse(line))
    .filter((entry) => entry["event.name"] === "http.access")
    .map((entry) => [
      entry["http.response.status_code"],
      entry["http.request.method"],
      entry["url.path"],
      entry["client.address"],
    ]);
  assert.equal(access.slice(0, 2), [
    [400, "_OTHER", "", "127.0.0.1"],
    [413, "POST", "/large", "127.0.0.1"],
  ]);
  const gone = lines.map((line) => JSON.parse(line)).find((entry) => entry["http.response.status_code"] === 499);
  assert.is(gone["url.path"], "/echo");
  assert.is(gone["client.address"], "127.0.0.1");
  assert.is(gone["client.port"], ports[0]);
});

test("more than so many lines a second are dropped and counted", () => {
  let now = 0;
  const restore = replaceClock(() => now);
  const stop = startAccessLog({ linesPerSecond: 10 });
  const before = droppedLines().rate;
  try {
    const record = { head: "", fieldsStart: 0 } as ExchangeRecord;
    let written = 0;
    for (now = 0; now < 10_000; now += 1) {
      const dropped = droppedLines().rate;
      try {
        observer?.ended(record);
      } catch {
        // This record has no address: it was to be written.
      }
      if (droppedLines().rate === dropped) written++;
    }
    assert.ok(written >= 110 && written <= 120, `${written} lines in 10 s`);
    assert.is(droppedLines().rate - before, 10_000 - written);
  } finally {
    stop();
    restore();
  }
});

test.run();

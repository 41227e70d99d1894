// What those see who look from outside: counters, tasks, the access log, proxies' fields.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CLASSES, counters, METHODS } from "../../src/http/counters.ts";
import { type ExchangeRecord, setObserver } from "../../src/http/observer.ts";
import { servers } from "../../src/http/servers.ts";
import { taskSources } from "../../src/runtime/tasks.ts";
import { eventually, start } from "../http/support/server.ts";
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  HEADERS,
  open,
  POST,
  RST_STREAM,
  uint32,
} from "./support/raw.ts";

function count(method: (typeof METHODS)[number], status: number): number {
  return counters.requests[METHODS.indexOf(method) * CLASSES + Math.floor(status / 100)];
}

test("requests are counted by method and status, answered at once or later, and refused ones", async () => {
  using server = start(
    (request) => (request.url.endsWith("/later") ? Promise.resolve(new Response("x")) : new Response("x")),
    {
      h2c: true,
    },
  );
  using raw = await open(server.port);
  const before = [count("GET", 200), count("_OTHER", 400)];
  raw.request(1);
  raw.request(3, [...GET.slice(0, 2), [":path", "/later"], GET[3]]);
  raw.request(5, [...GET.slice(0, 2), [":path", "x"], GET[3]]);
  for (const id of [1, 3, 5]) await raw.response(id);
  assert.equal([count("GET", 200), count("_OTHER", 400)], [before[0] + 2, before[1] + 1]);
});

test("a stream that runs is a request among the tasks, and an active one; also after its client gave it up", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(() => gate.promise.then(() => new Response("x")), { h2c: true });
  using raw = await open(server.port);
  raw.request(1);
  raw.request(3);
  await raw.settled();
  const names = (): string[] => {
    const found: string[] = [];
    for (const source of taskSources) source((name) => void found.push(name));
    return found.sort();
  };
  assert.equal(names(), ["http connection", "http request", "http request"]);
  assert.is(
    [...servers()].reduce((sum, { active }) => sum + active, 0),
    2,
  );
  raw.write(frame(RST_STREAM, 0, 1, uint32(8)));
  await raw.settled();
  assert.equal(names(), ["http connection", "http request", "http request, given up on"]);
  gate.resolve();
  await raw.response(3);
  assert.equal(names(), ["http connection"]);
  assert.is(server.server.connections, 1);
});

test("the observer of the access log is told of each request, with version 2", async () => {
  const records: ExchangeRecord[] = [];
  setObserver({
    requestId: () => "id-1",
    ended: (record) => {
      assert.is(record.remoteAddr.transport, "tcp");
      records.push(record);
    },
  });
  try {
    using server = start(async (request) => new Response(await request.text()), { h2c: true });
    using raw = await open(server.port);
    raw.request(1, [...POST.slice(0, 2), [":path", "/a?b"], POST[3]], END_HEADERS);
    raw.write(frame(DATA, END_STREAM, 1, "hello"));
    assert.is((await raw.response(1)).fields.get("x-request-id"), "id-1");
    raw.request(3, POST, END_HEADERS);
    raw.write(frame(RST_STREAM, 0, 3, uint32(8)));
    await eventually(() => records.length === 2, "two records");
    const [{ method, target, version, status, bytesIn, bytesOut, aborted }, second] = records;
    assert.equal(
      { method, target, version, status, bytesIn, aborted },
      { method: "POST", target: "/a?b", version: "2", status: 200, bytesIn: 5, aborted: false },
    );
    assert.ok(bytesOut > 14 + 9 && bytesOut < 200, `${bytesOut}`);
    assert.equal([second.status, second.aborted], [0, true]);
  } finally {
    setObserver(undefined);
  }
});

test("a trusted proxy's fields are believed, and its word on the connection", async () => {
  using server = start((request, info) => Response.json([request.url, info.remoteAddr]), {
    h2c: true,
    trustProxy: "loopback",
  });
  using raw = await open(server.port);
  raw.request(1, [...GET, ["x-forwarded-for", "192.0.2.7"], ["x-forwarded-proto", "https"]]);
  const [url, { hostname }] = JSON.parse(`${(await raw.response(1)).body}`) as [string, { hostname: string }];
  assert.is(url, "https://x/");
  assert.is(hostname, "192.0.2.7");
});

test("a header block of a request that is refused for its stream's number keeps the tables together", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start((request) => gate.promise.then(() => new Response(request.headers.get("x-kept"))), {
    h2c: true,
  });
  using raw = await open(server.port);
  for (let i = 0; i < 100; i++) raw.request(1 + 2 * i);
  const kept = Buffer.from("\x40\x06x-kept\x04kept", "latin1");
  raw.write(frame(HEADERS, END_HEADERS | END_STREAM, 201, Buffer.concat([block(GET), kept])));
  assert.is(await raw.reset(201), 7);
  gate.resolve();
  await raw.response(199);
  raw.write(frame(HEADERS, END_HEADERS | END_STREAM, 203, Buffer.concat([block(GET), Buffer.from([0xbe])])));
  assert.is(`${(await raw.response(203)).body}`, "kept");
});

test.run();

// The live page without a browser: what is served to whom, that its events cost nothing while nobody looks, and what the
// page makes of them.
import { createHash } from "node:crypto";
import { get } from "node:http";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { setDraining } from "../../src/admin/draining.ts";
import { LiveFeed } from "../../src/admin/live/feed.ts";
import { growth, History, quantile } from "../../src/admin/live/page/history.ts";
import { decompressed, livePage, takesBrotli } from "../../src/admin/live/page.ts";
import type { Snapshot } from "../../src/admin/live/snapshot.ts";
import { go } from "../../src/runtime/tasks.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { connect } from "../http/support/client.ts";
import { eventually, start } from "../http/support/server.ts";
import { logged } from "../support/logged.ts";
import { open, type TestAdmin } from "./support/ask.ts";

// What is tested keeps no process alive.
const alive = setInterval(() => {}, 1000);
test.after(() => clearInterval(alive));

const HTML = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
const digest = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What a viewer is told, from the first snapshot on that was made after now. */
function told(admin: TestAdmin): Promise<Snapshot> {
  const since = Date.now();
  return new Promise((resolve, reject) => {
    let text = "";
    const asked = get({ port: admin.port, host: "127.0.0.1", path: "/live", agent: false }, (response) => {
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        const events = text.split("\n\n").slice(0, -1);
        for (const event of events.filter((one) => one.includes("data: "))) {
          const snapshot: Snapshot = JSON.parse(event.slice(event.indexOf("data: ") + 6));
          if (snapshot.time < since) continue;
          asked.destroy();
          return resolve(snapshot);
        }
      });
      response.on("error", reject);
    });
    asked.on("error", reject);
  });
}

test("programs get the list at /, browsers the page", async () => {
  await using admin = await open();
  const programs: Record<string, string>[] = [
    {},
    { accept: "*/*" },
    { accept: "application/json" },
    { accept: "text/plain, text/html;q=0.9" },
  ];
  for (const headers of programs) {
    const { status, headers: got, text } = await admin.get("/", { headers });
    assert.is(status, 200);
    assert.is(got["content-type"], "text/plain; charset=utf-8");
    assert.match(text, /^Here are:\n\/metrics\n/);
  }
  const { status, headers, text } = await admin.get("/", { headers: HTML });
  assert.is(status, 200);
  assert.is(headers["content-type"], "text/html; charset=utf-8");
  assert.is(headers["cache-control"], "no-store");
  assert.is(headers["content-encoding"], undefined);
  assert.match(text, /^<!doctype html>\n<html lang="en">/);
  const head = await admin.get("/", { method: "HEAD", headers: HTML });
  assert.is(head.text, "");
  assert.is(head.headers["content-length"], headers["content-length"]);
  assert.is((await admin.get("/", { headers: { ...HTML, host: "evil.example" } })).status, 421);
});

test("its policy allows its own style and script, and nothing else", async () => {
  await using admin = await open();
  const { headers, text } = await admin.get("/", { headers: HTML });
  const policy = String(headers["content-security-policy"]);
  const inner = (tag: string): string[] =>
    [...text.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(([, one]) => one);
  const [styles, scripts] = [inner("style"), inner("script")];
  assert.is(styles.length, 1);
  assert.is(scripts.length, 1);
  assert.match(policy, "default-src 'none'");
  assert.match(policy, `script-src ${digest(scripts[0])};`);
  assert.match(policy, `style-src ${digest(styles[0])};`);
  assert.not.match(policy, "unsafe");
  assert.match(policy, "connect-src 'self'");
  assert.match(policy, "frame-ancestors 'none'");
  assert.is(headers["cross-origin-resource-policy"], "same-origin");
  // It asks nobody for anything; what else looks like an address is the name of a vocabulary.
  const addresses = [...text.matchAll(/https?:\/\/[\w.]+/g)].map(([address]) => address);
  assert.equal(new Set(addresses), new Set(["http://www.w3.org"]));
  assert.not.match(text.replace(scripts[0], ""), /\son\w+=|\sstyle=/);
});

test("it is kept compressed, and is small", async () => {
  await using admin = await open();
  const page = await livePage();
  assert.ok(page.brotli.length < 36_000, `${page.brotli.length} bytes`);
  const whole = await decompressed(page);
  const packed = await admin.get("/", { headers: { ...HTML, "accept-encoding": "gzip, deflate, br, zstd" } });
  assert.is(packed.headers["content-encoding"], "br");
  assert.is(Number(packed.headers["content-length"]), page.brotli.length);
  assert.match(String(packed.headers.vary), "accept-encoding");
  const plain = await admin.get("/", { headers: { ...HTML, "accept-encoding": "gzip" } });
  assert.is(Number(plain.headers["content-length"]), whole.length);
  for (const yes of ["br", "gzip, BR", "br;q=0.1", "gzip;q=1, br ; q=1.000"]) assert.ok(takesBrotli(yes), yes);
  for (const no of [null, "", "*", "gzip", "br;q=0", "br;q=0.00, gzip", "brr", "x-br"])
    assert.not(takesBrotli(no), String(no));
});

test("a snapshot tells what the server does", async () => {
  await using admin = await open();
  using server = start((request) => new Response(null, { status: request.url.endsWith("/no") ? 404 : 200 }));
  const { promise, resolve } = Promise.withResolvers<void>();
  go("test\u001b[2J wait", () => promise);
  const before = await told(admin);
  for (const path of ["/", "/", "/no"]) {
    using client = await connect(server.port);
    client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await client.response();
  }
  await logged(async () => {
    using client = await connect(server.port);
    client.write("nonsense\r\n\r\n");
    await client.response();
  });
  using idle = await connect(server.port);
  idle.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await idle.response();
  await eventually(() => server.server.connections === 1, "one idle connection");
  const now = await told(admin);
  resolve();
  assert.is(now.requests["2xx"] - before.requests["2xx"], 3);
  assert.is(now.requests["4xx"] - before.requests["4xx"], 2);
  assert.is(now.limits.malformedRequest - before.limits.malformedRequest, 1);
  const counted = now.duration.counts.map((count, i) => count - before.duration.counts[i]);
  assert.is(counted.at(-1), 4);
  assert.is(now.duration.bounds.at(-1), null);
  assert.is(now.connections.idle, 1);
  assert.is(now.connections.accepted - before.connections.accepted, 5);
  assert.is(now.poller, runtime().poller.name);
  assert.is(now.servers.accepting, 1);
  assert.is(now.drain, undefined);
  const task = now.tasks.oldest.find(({ name }) => name.endsWith("wait"));
  assert.is(task?.name, "test\\u001b[2J wait");
  assert.ok(now.tasks.own >= 1);
  assert.ok(now.memory.resident > 1e7 && now.started > 1e12 && now.cpuSeconds > 0);
  assert.not(idle.over);
});

test("its events are for itself alone, and for not more than a few at once", async () => {
  await using admin = await open();
  const strangers: Record<string, string>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: `http://localhost:${admin.port + 1}`, host: `localhost:${admin.port}` },
  ];
  for (const headers of strangers) {
    assert.is((await admin.get("/live", { headers })).status, 403, JSON.stringify(headers));
  }
  const own = { "sec-fetch-site": "same-origin", origin: `http://127.0.0.1:${admin.port}` };
  const { status, headers, text } = await admin.get("/live", { method: "HEAD", headers: own });
  assert.is(status, 200);
  assert.is(headers["content-type"], "text/event-stream");
  assert.is(text, "");
  assert.is((await admin.get("/live", { method: "POST" })).status, 405);
  const viewers = [];
  try {
    for (let i = 0; i < 12; i++) {
      const viewer = await connect(admin.port);
      viewer.write("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      viewers.push(viewer);
      await viewer.until(() => viewer.text.includes("data: "), "the first event");
    }
    const late = await admin.get("/live");
    assert.is(late.status, 503);
    assert.is(late.headers["retry-after"], "10");
    assert.is((await admin.get("/healthz")).status, 200);
    viewers[0].socket.destroy();
    for (const end = Date.now() + 20_000; (await admin.get("/live", { method: "HEAD" })).status !== 200; ) {
      assert.ok(Date.now() < end, "there is room again");
    }
  } finally {
    for (const { socket } of viewers) socket.destroy();
  }
});

test("closing the admin port ends the streams", async () => {
  const admin = await open();
  using viewer = await connect(admin.port);
  viewer.write("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await viewer.until(() => viewer.text.includes("data: "), "the first event");
  await admin.admin.close();
  await viewer.until(() => viewer.over, "the end");
});

test("one event for all, and nothing at all while nobody looks", async () => {
  let reads = 0;
  const feed = new LiveFeed(async () => ({ reads: ++reads }), 5);
  assert.not(feed.running);
  const readers = [feed.watch().getReader(), feed.watch().getReader()];
  const texts = ["", ""];
  const both = (): boolean => texts.every((text) => /"reads":3/.test(text));
  await Promise.all(
    readers.map(async (reader, i) => {
      while (!both()) texts[i] += Buffer.from((await reader.read()).value ?? []).toString();
    }),
  );
  // Who came later began with the same numbers.
  assert.match(texts[0], /^retry: 1000\n/);
  assert.ok(feed.running);
  await readers[0].cancel();
  assert.ok(feed.running);
  await readers[1].cancel();
  await eventually(() => !feed.running, "it stops");
  const then = reads;
  await new Promise((done) => setTimeout(done, 30));
  assert.is(reads, then);
  assert.is(feed.viewers, 0);
  // And it begins again.
  const again = feed.watch().getReader();
  for (let text = ""; !text.includes("data: "); ) text += Buffer.from((await again.read()).value ?? []).toString();
  assert.ok(reads > then);
  await again.cancel();
});

test("a viewer that does not read is owed little, and holds nobody up; what can't be read is said", async () => {
  let reads = 0;
  const feed = new LiveFeed(async () => {
    if (++reads === 3) throw new Error("no numbers");
    return { reads };
  }, 2);
  const stalled = feed.watch();
  const reader = feed.watch().getReader();
  let text = "";
  const lines = await logged(async () => {
    while (!text.includes('"reads":9}')) text += Buffer.from((await reader.read()).value ?? []).toString();
  });
  assert.is(lines.length, 1);
  assert.match(lines[0], /the live page could not be told what the server does.*no numbers/s);
  assert.not.match(text, '"reads":3}');
  feed.close();
  await reader.cancel();
  let owed = "";
  for await (const chunk of stalled) owed += Buffer.from(chunk).toString();
  assert.ok(owed.split("data: ").length <= 3, owed);
});

// ---- what the page makes of them

const base = {
  pid: 1,
  started: 1000,
  servers: { accepting: 1, draining: 0, waiting: 0 },
  connections: { active: 1, idle: 2, handshaking: 0, webSockets: 0, outgoing: 0, sockets: 3, accepted: 3 },
  bytes: { received: 0, sent: 0 },
  handshakes: {},
  turns: { count: 0, events: 0 },
  loop: { active: 0, idle: 0, delay: { bounds: [null], counts: [0] } },
  memory: { resident: 1, heap: 1, heapLimit: 1, external: 1 },
  tasks: { ages: [1, 0, 0, 0], oldest: [], names: 1, own: 1 },
  workers: [],
  cpuSeconds: 0,
};
const at = (seconds: number, ok: number, more: object = {}): Snapshot =>
  ({
    ...base,
    time: seconds * 1000,
    requests: { "2xx": ok },
    duration: { bounds: [0.1, 1, null], counts: [ok, ok, ok] },
    limits: { readTimeout: ok },
    ...more,
  }) as unknown as Snapshot;

test("rates come of totals: a snapshot that was missed is no dip", () => {
  const history = new History();
  history.add(at(10, 100));
  history.add(at(11, 150));
  history.add(at(13, 250));
  // Said again after the connection was made anew.
  history.add(at(13, 250));
  assert.equal(
    history.points.map(({ values }) => values.answered),
    [null, 50, 50],
  );
  assert.equal(
    history.points.map(({ values }) => values.idle),
    [2, 2, 2],
  );
});

test("another start of the process, and a lost connection, are gaps and no fall", () => {
  const history = new History();
  history.add(at(10, 100));
  history.add(at(11, 200));
  history.gap();
  history.gap();
  history.add(at(20, 5, { started: 9000, pid: 2 }));
  history.add(at(21, 6, { started: 9000, pid: 2 }));
  history.add(at(22, 0, { started: 21_500, pid: 2 }));
  assert.equal(
    history.points.map(({ values }) => values.answered),
    [null, 100, null, null, 1, null, null],
  );
  assert.equal(
    history.points.map(({ snapshot }) => snapshot !== undefined),
    [true, true, false, true, true, false, true],
  );
  assert.equal(
    history.points.map(({ values }) => values.idle),
    [2, 2, null, 2, 2, null, 2],
  );
  const { within, total } = growth(history.points.slice(0, 5), 0, ({ limits }) => limits).get("readTimeout") ?? {};
  assert.equal([within, total], [101, 6]);
});

test("a quarter of an hour is kept", () => {
  const history = new History();
  for (let i = 1; i <= 1000; i++) history.add(at(i, i));
  assert.ok(history.points.length <= 904 && history.points.length >= 900);
});

test("percentiles lie evenly within a bucket; without values there are none", () => {
  const bounds = [0.1, 1, null];
  assert.is(quantile({ bounds, counts: [0, 0, 0] }, 0.5), undefined);
  assert.is(quantile({ bounds, counts: [10, 10, 10] }, 0.5), 0.05);
  assert.is(quantile({ bounds, counts: [0, 10, 10] }, 0.5), 0.1 + 0.9 / 2);
  assert.is(quantile({ bounds, counts: [0, 0, 10] }, 0.99), 1);
});

// The last: it can't be undone.
test("the end of the process, with what the options say of it", async () => {
  await using admin = await open({ config: () => [{ name: "drainTimeout", value: "30s", source: "default" }] });
  setDraining();
  const { drain } = await told(admin);
  assert.is(drain?.timeoutMs, 30_000);
  assert.is(drain?.delayMs, null);
  assert.ok(drain !== undefined && drain.sinceMs >= 0 && drain.sinceMs < 30_000);
});

test.run();

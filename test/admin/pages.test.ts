// The pages of the admin port: what each answers, to whom, and what is refused.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { go } from "../../src/runtime/tasks.ts";
import { connect } from "../http/support/client.ts";
import { ask, open } from "./support/ask.ts";

const JSON_PLEASE = { headers: { accept: "application/json" } };

test("health is a word, and never kept by a cache", async () => {
  await using admin = await open();
  const { status, headers, text } = await admin.get("/healthz");
  assert.is(status, 200);
  assert.is(text, "ok\n");
  assert.is(headers["cache-control"], "no-store");
  assert.is(headers["x-content-type-options"], "nosniff");
  assert.is(headers["content-type"], "text/plain; charset=utf-8");
});

for (const path of ["/nothing", "/metrics/", "//metrics", "/METRICS", "/%6detrics", "/admin"]) {
  test(`${path} is 404, with a list of what there is`, async () => {
    await using admin = await open();
    const { status, text } = await admin.get(path);
    assert.is(status, 404);
    assert.is(text, "Here are:\n/metrics\n/healthz\n/readyz\n/tasks\n/config\n/live\n");
  });
}

test("a query changes nothing", async () => {
  await using admin = await open();
  assert.is((await admin.get("/healthz?verbose=1")).status, 200);
});

test("HEAD is GET without the body", async () => {
  await using admin = await open();
  for (const path of ["/healthz", "/metrics", "/readyz", "/tasks", "/config", "/nothing"]) {
    const [head, get] = [await admin.get(path, { method: "HEAD" }), await admin.get(path)];
    assert.is(head.status, get.status);
    assert.is(head.text, "");
    assert.is(head.headers["content-type"], get.headers["content-type"]);
  }
});

for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]) {
  test(`${method} is 405: nothing can be changed here`, async () => {
    await using admin = await open();
    const { status, headers } = await admin.get("/healthz", { method });
    assert.is(status, 405);
    assert.is(headers.allow, "GET, HEAD");
  });
}

test("a body is refused before it is read, and a small one ignored", async () => {
  await using admin = await open();
  assert.is(
    (await admin.get("/healthz", { method: "GET", body: "x", headers: { "content-length": "1" } })).status,
    200,
  );
  using client = await connect(admin.port);
  client.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n");
  assert.is((await client.response()).status, 413);
});

test("a head that is too large is refused", async () => {
  await using admin = await open();
  using client = await connect(admin.port);
  client.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(9000)}\r\n\r\n`);
  assert.is((await client.response()).status, 431);
});

for (const host of [
  "localhost",
  "localhost:9090",
  "LOCALHOST.",
  "metrics.localhost",
  "127.0.0.1",
  "127.0.0.1:1",
  "127.9.9.9",
  "[::1]:9090",
  "10.1.2.3:9090",
]) {
  test(`Host: ${host} may ask`, async () => {
    await using admin = await open();
    for (const path of ["/healthz", "/metrics", "/tasks", "/config"]) {
      assert.is((await admin.get(path, { headers: { host } })).status, 200, path);
    }
  });
}

// DNS rebinding: a page's own name that has been pointed at this machine.
for (const host of [
  "evil.example",
  "evil.example:9090",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "evil-localhost",
  "xn--lcalhost-n9a",
]) {
  test(`Host: ${host} may not`, async () => {
    await using admin = await open();
    for (const path of ["/healthz", "/metrics", "/readyz", "/tasks", "/config", "/", "/nothing"]) {
      const { status, text } = await admin.get(path, { headers: { host } });
      assert.is(status, 421, path);
      assert.not.match(text, /slipway_|\/metrics/);
    }
    assert.is((await admin.get("/metrics", { method: "POST", headers: { host } })).status, 421);
  });
}

test("the target's own host counts more than Host", async () => {
  await using admin = await open();
  const status = async (target: string, host: string) => {
    using client = await connect(admin.port);
    client.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return (await client.response()).status;
  };
  assert.is(await status("http://evil.example/healthz", "localhost"), 421);
  assert.is(await status("http://localhost/healthz", "localhost"), 200);
  assert.is(await status("*", "localhost"), 400);
});

test("HTTP/1.0 without a Host is answered: no browser asks like that", async () => {
  await using admin = await open();
  using client = await connect(admin.port);
  client.write("GET /healthz HTTP/1.0\r\n\r\n");
  assert.is((await client.response()).status, 200);
});

test("the name that the operator gave may ask", async () => {
  await using admin = await open({ address: "localhost:0" });
  assert.match(admin.admin.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.is((await ask(admin.port, "/healthz", { headers: { host: "localhost:80" } })).status, 200);
  assert.is((await ask(admin.port, "/healthz", { headers: { host: "evil.example" } })).status, 421);
});

test("tasks, as text and as JSON", async () => {
  await using admin = await open();
  const { promise, resolve } = Promise.withResolvers<void>();
  for (let i = 0; i < 3; i++) go("test\u001b[2J refresh", () => promise);
  try {
    const { status, text } = await admin.get("/tasks");
    assert.is(status, 200);
    assert.match(text, /\b3\b.* refresh$/m);
    assert.not.match(text, /\u001b/);
    const { headers, text: json } = await admin.get("/tasks", JSON_PLEASE);
    assert.is(headers["content-type"], "application/json");
    const row = JSON.parse(json).find(({ name }: { name: string }) => name.endsWith(" refresh"));
    assert.is(row.count, 3);
    assert.equal(row.ages, [3, 0, 0, 0]);
  } finally {
    resolve();
  }
});

test("config: each value and where it came from", async () => {
  const entries = [
    { name: "port", value: "8080", source: "flag", from: "--port" },
    { name: "idleTimeout", value: "120s", source: "default" },
    { name: "hostname", value: "\u001b[31mred\nsecond", source: "file", from: "/srv/server.ts" },
  ];
  await using admin = await open({ config: () => entries });
  const { text } = await admin.get("/config");
  assert.is(
    text,
    "OPTION       VALUE                      SOURCE\n" +
      "port         8080                       flag: --port\n" +
      "idleTimeout  120s                       default\n" +
      "hostname     \\u001b[31mred\\u000asecond  file: /srv/server.ts\n",
  );
  assert.equal(JSON.parse((await admin.get("/config", JSON_PLEASE)).text), entries);
});

test("a page that fails is a 500, and the others go on", async () => {
  await using admin = await open({
    config: () => {
      throw new Error("no config");
    },
  });
  assert.is((await admin.get("/config")).status, 500);
  assert.is((await admin.get("/healthz")).status, 200);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { install, isLightResponse, Response, requestFrom, responseBody, toLightResponse } from "../../src/fetch/mod.ts";

install();
const { Hono } = await import("hono");
const { etag } = await import("hono/etag");
const { cors } = await import("hono/cors");
const { H3 } = await import("h3");

function incoming(method: string, path: string, fields: readonly string[] = [], body: string | null = null): Request {
  const line = `${method} ${path} HTTP/1.1`;
  return requestFrom({
    method,
    head: [line, "Host: a.example", ...fields].join("\r\n"),
    fieldsStart: line.length + 2,
    url: () => `http://a.example${path}`,
    hasBody: () => body !== null,
    openBody: () => new Blob([body ?? ""]).stream(),
    readAll: async () => new TextEncoder().encode(body ?? ""),
    signal: () => new AbortController().signal,
  });
}

const app = new Hono();
app.use("/tagged", etag());
app.use("/open", cors({ origin: "*" }));
app.get("/text/:name", (c) => c.text(`hello ${c.req.param("name")} ${c.req.query("q")}`, 201, { "x-a": "1" }));
app.post("/json", async (c) => c.json({ got: await c.req.json(), agent: c.req.header("user-agent") }));
app.post("/form", async (c) => c.json(await c.req.parseBody()));
app.get("/tagged", (c) => c.text("tagged"));
app.get("/open", (c) => c.html("<p>"));
app.get("/copy", () => {
  const response = new Response("copy", { headers: { b: "2" } });
  return new globalThis.Response(response.body, response);
});
app.get("/cookies", (c) => {
  c.header("set-cookie", "a=1", { append: true });
  c.header("set-cookie", "b=2", { append: true });
  return c.body(null, 204);
});

test("Hono: answers are ours, and light", async () => {
  const response = await app.fetch(incoming("GET", "/text/me?q=1"));
  assert.ok(isLightResponse(response));
  assert.is(responseBody(response), "hello me 1");
  assert.is(response.status, 201);
  assert.is(response.headers.get("x-a"), "1");
});

test("Hono: JSON, forms, headers of the request", async () => {
  const json = await app.fetch(
    incoming("POST", "/json", ["User-Agent: me", "Content-Type: application/json"], '{"a":1}'),
  );
  assert.equal(await json.json(), { got: { a: 1 }, agent: "me" });
  const type = "Content-Type: application/x-www-form-urlencoded";
  const form = await app.fetch(incoming("POST", "/form", [type], "a=1&b=2"));
  assert.equal(await form.json(), { a: "1", b: "2" });
});

test("Hono: middleware that rewrites responses", async () => {
  const first = await app.fetch(incoming("GET", "/tagged"));
  const tag = first.headers.get("etag");
  assert.ok(tag);
  const second = await app.fetch(incoming("GET", "/tagged", [`If-None-Match: ${tag}`]));
  assert.is(second.status, 304);
  assert.is((await app.fetch(incoming("GET", "/open"))).headers.get("access-control-allow-origin"), "*");
  const copy = await app.fetch(incoming("GET", "/copy"));
  assert.is(copy.headers.get("b"), "2");
  assert.is(await copy.text(), "copy");
  const cookies = await app.fetch(incoming("GET", "/cookies"));
  assert.equal(cookies.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.is((await app.fetch(incoming("GET", "/none"))).status, 404);
});

test("h3", async () => {
  const h3 = new H3();
  h3.get("/hello/:name", (event) => ({
    hello: event.context.params?.["name"],
    agent: event.req.headers.get("user-agent"),
  }));
  h3.post("/echo", async (event) => await event.req.text());
  h3.get("/raw", () => new globalThis.Response("raw", { status: 202 }));
  const answer = async (request: Request) => {
    const response = await h3.fetch(request);
    return isLightResponse(response) ? response : toLightResponse(response);
  };
  const hello = await answer(incoming("GET", "/hello/me", ["User-Agent: it"]));
  assert.equal(await hello.json(), { hello: "me", agent: "it" });
  assert.is(await (await answer(incoming("POST", "/echo", [], "echo"))).text(), "echo");
  assert.is((await answer(incoming("GET", "/raw"))).status, 202);
  assert.is((await answer(incoming("GET", "/none"))).status, 404);
});

test.run();

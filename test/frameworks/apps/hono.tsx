// @ts-nocheck: the app is checked by running it; Hono's JSX needs compiler options of its own.
/** @jsxImportSource hono/jsx */
import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { contextStorage, getContext } from "hono/context-storage";
import { deleteCookie, getCookie, getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { getConnInfo, serveStatic } from "hono/deno";
import { etag } from "hono/etag";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import { jwt, sign } from "hono/jwt";
import { methodOverride } from "hono/method-override";
import { poweredBy } from "hono/powered-by";
import { prettyJSON } from "hono/pretty-json";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { timeout } from "hono/timeout";
import { trimTrailingSlash } from "hono/trailing-slash";
import { validator } from "hono/validator";

const app = new Hono();

app.use(poweredBy());
app.use("/page/*", secureHeaders());
app.use(trimTrailingSlash());
app.use(contextStorage());
app.use(async (c, next) => {
  c.set("trail", ["first"]);
  await next();
  c.header("x-trail", c.get("trail").join(","));
});

app.get("/", (c) => c.text("Hono says hello"));
app.get("/users/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")) }));
app.get("/users/:name/:more?", (c) => c.json(c.req.param()));
app.get("/files/*", (c) => c.text(c.req.path));
app.get("/query", (c) => c.json({ one: c.req.query("a"), many: c.req.queries("b"), all: c.req.query() }));
app.get("/headers", (c) => {
  c.header("x-one", "1");
  c.header("x-many", "a", { append: true });
  c.header("x-many", "b", { append: true });
  return c.json({ agent: c.req.header("user-agent"), all: Object.keys(c.req.header()).sort() });
});
app.get("/context", (c) => c.text(getContext().req.path + getContext().get("trail")));
app.get("/accepts", (c) => c.text(accepts(c, { header: "Accept-Language", supports: ["en", "de"], default: "en" })));

app.post("/json", async (c) => c.json(await c.req.json()));
app.post("/text", async (c) => c.text((await c.req.text()).toUpperCase()));
app.post("/form", async (c) => {
  const { name, file } = await c.req.parseBody();
  return c.json({ name, file: file instanceof File ? [file.name, file.size, await file.text()] : null });
});
app.post("/all", async (c) => c.json(await c.req.parseBody({ all: true })));
app.post("/bytes", async (c) => c.body(await c.req.arrayBuffer()));
app.post("/blob", async (c) => c.json({ size: (await c.req.blob()).size }));
app.post("/twice", async (c) => c.json([await c.req.text(), await c.req.json()]));
app.post("/raw", (c) => new Response(c.req.raw.body));
app.post("/clone", async (c) => c.text(`${await c.req.raw.clone().text()} ${await c.req.raw.text()}`));
app.post("/limited", bodyLimit({ maxSize: 10, onError: (c) => c.text("too much", 413) }), async (c) =>
  c.text(await c.req.text()),
);
app.post(
  "/valid",
  validator("json", (value, c) => (typeof value.title === "string" ? { title: value.title } : c.text("no title", 400))),
  (c) => c.json(c.req.valid("json"), 201),
);

app.get("/cookies", (c) => {
  setCookie(c, "plain", "value with space", { path: "/", httpOnly: true, sameSite: "Lax" });
  setCookie(c, "old", "x", { maxAge: 1000, secure: true });
  deleteCookie(c, "gone");
  return c.json(getCookie(c));
});
app.get("/signed", async (c) => {
  await setSignedCookie(c, "user", "ada", "secret");
  return c.json({ user: (await getSignedCookie(c, "secret", "user")) ?? null });
});

app.get("/stream", (c) =>
  stream(c, async (out) => {
    for (const part of ["a", "b", "c"]) await out.write(part.repeat(1000));
    await out.pipe(new Blob(["piped"]).stream());
  }),
);
app.get("/stream-text", (c) =>
  streamText(c, async (out) => {
    for (let line = 1; line <= 3; line++) {
      await out.writeln(`line ${line}`);
      await out.sleep(2);
    }
  }),
);
app.get("/sse", (c) =>
  streamSSE(c, async (out) => {
    for (let id = 0; id < 3; id++) await out.writeSSE({ data: `event ${id}`, event: "count", id: String(id) });
  }),
);

app.get("/page/jsx", (c) =>
  c.html(
    <html lang="en">
      <body>
        <h1>{"escaped <&>"}</h1>
        {[1, 2].map((n) => (
          <p key={n}>{n}</p>
        ))}
      </body>
    </html>,
  ),
);
app.get("/page/html", (c) => c.html(html`<p>${"<b>"}</p>`));

app.use("/cors/*", cors({ origin: ["http://example.com"], allowHeaders: ["x-a"], credentials: true, maxAge: 60 }));
app.get("/cors/a", (c) => c.text("shared"));
app.get("/etag", etag(), (c) => c.text("tagged"));
app.get("/pretty", prettyJSON(), (c) => c.json({ a: [1], b: { c: null } }));
app.get("/compressed", compress(), (c) => c.text("compress me ".repeat(200)));
app.get("/basic", basicAuth({ username: "ada", password: "pw" }), (c) => c.text("in"));
app.get("/bearer", bearerAuth({ token: "token" }), (c) => c.text("in"));
app.post("/csrf", csrf(), (c) => c.text("posted"));
app.get("/jwt", jwt({ secret: "s", alg: "HS256" }), (c) => c.json(c.get("jwtPayload")));
app.get("/sign", async (c) => c.text(await sign({ sub: "ada" }, "s")));
app.use("/override/*", methodOverride({ app }));
app.delete("/override/x", (c) => c.text("deleted by a form"));
app.get("/slow", timeout(20), async (c) => {
  await new Promise(
    (resolve) => c.req.raw.signal.addEventListener("abort", resolve) ?? setTimeout(resolve, 10_000).unref?.(),
  );
  return c.text("never");
});

const api = new Hono().basePath("/v1");
api.use(async (c, next) => {
  c.get("trail")?.push("api");
  await next();
});
api.get("/items", (c) => c.json([{ id: 1 }]));
api.on(["PUT", "PATCH"], "/items/:id", (c) => c.text(`${c.req.method} ${c.req.param("id")}`));
api.all("/any", (c) => c.text(c.req.method));
app.route("/api", api);
app.mount("/mounted", (request) => new Response(`mounted ${new URL(request.url).pathname}`));

app.get("/redirect", (c) => c.redirect("/users/1", 302));
app.get("/status", (c) => c.body(null, 204));
app.get("/teapot", (c) => c.text("short and stout", 418 as never));
app.get("/response", () => new Response("plain", { headers: { "x-plain": "1" }, statusText: "Fine" }));
app.get("/inner", async (c) => c.text(`inner: ${await (await app.request("/users/7")).text()}`));
app.get("/peer", (c) => {
  const { remote } = getConnInfo(c);
  return c.json([remote.address, remote.transport, typeof remote.port]);
});
app.get(
  "/static/*",
  serveStatic({
    root: new URL("./public", import.meta.url).pathname,
    rewriteRequestPath: (path) => path.replace("/static", ""),
  }),
);
app.get("/throws", () => {
  throw new Error("on purpose");
});
app.get("/exception", () => {
  throw new HTTPException(403, {
    message: "not you",
    res: new Response("not you", { status: 403, headers: { "x-why": "because" } }),
  });
});
app.get("/rejects", () => Promise.reject(new TypeError("later")));

app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : c.text(`caught ${error.name}: ${error.message}`, 500),
);

export default app;

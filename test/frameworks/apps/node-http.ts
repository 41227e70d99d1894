// @ts-nocheck: the app is checked by running it.
// Programs of Node's own server: Express and Fastify, each on a port of its own, behind one that passes on by path, and has Oak answer.
import { request as ask, createServer } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Application, Router, Status } from "@oakserver/oak";
import express from "express";
import Fastify from "fastify";

const files = join(fileURLToPath(import.meta.url), "../public");

const app = express();
app.disable("etag"); // It is made of the time of the file, which an executable does not keep.
app.use((_, res, next) => {
  res.set("x-first", "1");
  next();
});
app.use("/express", express.json({ limit: 50 }), express.urlencoded({ extended: true }));
app.use("/express/files", express.static(files, { etag: false, lastModified: false }));
app.get("/express/users/:id", (req, res) => res.json({ id: req.params.id, query: req.query, ip: req.ip }));
app.post("/express/echo", (req, res) => res.status(201).send({ got: req.body }));
app.get("/express/cookie", (_, res) => res.cookie("a", "1", { httpOnly: true }).redirect("/express/users/1"));
app.get("/express/file", (_, res) => res.sendFile(join(files, "note.txt"), { lastModified: false }));
app.get("/express/stream", (_, res) => {
  res.write("one ");
  setTimeout(() => res.end("two"), 5);
});
app.get("/express/throws", async () => {
  throw new Error("on purpose");
});
app.use((error, _req, res, _next) =>
  res
    .status(error.status ?? 500)
    .type("text")
    .send(error.message),
);

const fastify = Fastify({ bodyLimit: 50 });
fastify.addHook("onSend", async (_, reply) => void reply.header("x-hook", "1"));
const schema = { body: { type: "object", required: ["title"], properties: { title: { type: "string" } } } };
fastify.get("/fastify/users/:id", (request) => ({ id: request.params.id, query: request.query }));
fastify.post("/fastify/valid", { schema }, (request, reply) => reply.code(201).send(request.body));
fastify.get("/fastify/stream", async (_, reply) => reply.type("text/plain").send(ReadableStream.from(["a", "b"])));
fastify.get("/fastify/throws", async () => {
  throw Object.assign(new Error("on purpose"), { statusCode: 409 });
});
await fastify.register(
  async (inner) => {
    inner.get("/inner", async () => inner.prefix);
  },
  { prefix: "/fastify/deep" },
);

const oakRoutes = new Router({ prefix: "/oak" });
oakRoutes
  .get("/users/:id", (ctx) => {
    ctx.response.body = { id: ctx.params.id, query: ctx.request.url.searchParams.get("q"), trail: ctx.state.trail };
  })
  .post("/echo", async (ctx) => {
    ctx.response.status = Status.Created;
    ctx.response.body = await ctx.request.body.json();
  })
  .post("/text", async (ctx) => {
    ctx.response.body = (await ctx.request.body.text()).toUpperCase();
  })
  .get("/cookies", async (ctx) => {
    ctx.response.body = (await ctx.cookies.get("a")) ?? "none";
    await ctx.cookies.set("b", "2", { httpOnly: true });
  })
  .get("/redirect", (ctx) => ctx.response.redirect("https://example.com/"))
  .get("/throws", (ctx) => ctx.throw(Status.Teapot, "short and stout"));
const oak = new Application({ logErrors: false, state: {} });
oak.use(async (ctx, next) => {
  ctx.state.trail = ["first"];
  await next();
  ctx.response.headers.set("x-trail", ctx.state.trail.join());
});
oak.use(oakRoutes.routes());
oak.use(oakRoutes.allowedMethods());

const ports = {};
app.listen(0, "127.0.0.1", function () {
  ports.express = this.address().port;
});
await fastify.listen({ port: 0, host: "127.0.0.1" });
ports.fastify = fastify.server.address().port;
async function byOak(req, res) {
  const { method, url, headers } = req;
  const body = method === "GET" ? undefined : Readable.toWeb(req);
  const answer = await oak.handle(new Request(`http://localhost${url}`, { method, headers, body, duplex: "half" }));
  const cookies = answer.headers.getSetCookie();
  const sent = { ...Object.fromEntries(answer.headers), ...(cookies.length > 0 && { "set-cookie": cookies }) };
  res.writeHead(answer.status, sent).end(Buffer.from(await answer.arrayBuffer()));
}

const front = createServer((req, res) => {
  const { method, url, headers } = req;
  if (url.startsWith("/oak/")) return void byOak(req, res);
  const port = ports[url.split("/")[1]];
  if (port === undefined) return void res.writeHead(404).end("which framework?");
  req.pipe(
    ask({ port, host: "127.0.0.1", method, path: url, headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    }),
  );
});
front.listen(Number(process.argv[2]), "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${front.address().port}`);
});

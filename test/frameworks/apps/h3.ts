// @ts-nocheck: the app is checked by running it.
import {
  assertMethod,
  basicAuth,
  bodyLimit,
  createEventStream,
  defineHandler,
  defineJsonRpcHandler,
  defineLazyEventHandler,
  defineMiddleware,
  defineValidatedHandler,
  deleteCookie,
  getCookie,
  getQuery,
  getRequestHost,
  getRequestIP,
  getRequestProtocol,
  getRequestURL,
  getRouterParam,
  getRouterParams,
  H3,
  HTTPError,
  HTTPResponse,
  handleCacheHeaders,
  handleCors,
  html,
  iterable,
  noContent,
  onError,
  onResponse,
  parseCookies,
  readBody,
  readValidatedBody,
  redirect,
  serveStatic,
  setCookie,
  toMiddleware,
  useSession,
  withBase,
  writeEarlyHints,
} from "h3";

const app = new H3({ debug: false });

app.use(async (event, next) => {
  event.context.trail = ["first"];
  event.res.headers.set("x-powered", "h3");
  return next();
});
app.use(
  "/deep/**",
  defineMiddleware((event) => void event.context.trail.push("deep")),
);
app.use(onResponse((response, event) => response.headers.set("x-trail", event.context.trail.join(","))));
app.use(onError((error) => void (error.data = { seen: true })));

app.get("/", () => "h3 says hello");
app.get("/json", () => ({ a: [1, null], b: { c: true } }));
app.get("/users/:id", (event) => ({ id: getRouterParam(event, "id"), all: getRouterParams(event) }));
app.get("/named/:name", (event) => getRouterParam(event, "name", { decode: true }));
app.get("/deep/**:rest", (event) => `${event.context.params.rest} ${event.context.trail}`);
app.get("/query", (event) => getQuery(event));
app.get("/url", (event) => {
  const { pathname, search } = getRequestURL(event);
  return {
    pathname,
    search,
    path: event.url.pathname,
    host: /^127\.0\.0\.1:\d+$/.test(getRequestHost(event)),
    protocol: getRequestProtocol(event),
  };
});
app.get("/headers", (event) => {
  event.res.headers.append("x-many", "a");
  event.res.headers.append("x-many", "b");
  return { agent: event.req.headers.get("user-agent"), names: [...event.req.headers.keys()].sort() };
});
app.get("/types/:what", (event) => {
  switch (event.context.params.what) {
    case "null":
      return null;
    case "undefined":
      return undefined;
    case "number":
      return 42;
    case "boolean":
      return false;
    case "array":
      return [1, "two"];
    case "bytes":
      return new Uint8Array([1, 2, 255]);
    case "blob":
      return new Blob(["blob"], { type: "text/x-blob" });
    case "date":
      return new Date(0);
    case "response":
      return new Response("response", { status: 202, headers: { "x-r": "1" } });
    case "http-response":
      return new HTTPResponse("raw", { status: 203, headers: { "x-h": "1" } });
    case "stream":
      return ReadableStream.from(["a", "b"]).pipeThrough(new TextEncoderStream());
    case "promise":
      return Promise.resolve({ later: true });
    case "error":
      return new HTTPError({ status: 409, message: "returned" });
    case "bigint":
      return { toJSON: () => "big" };
  }
});
app.post("/body", async (event) => await readBody(event));
app.post("/text", async (event) => (await event.req.text()).toUpperCase());
app.post("/form", async (event) => {
  const form = await event.req.formData();
  const file = form.get("file");
  return { name: form.get("name"), file: file instanceof File ? [file.name, file.type, await file.text()] : null };
});
app.post("/bytes", async (event) => new Uint8Array(await event.req.arrayBuffer()));
app.post("/pipe", (event) => event.req.body);
app.post("/valid", async (event) => {
  return await readValidatedBody(event, (value) => typeof value?.title === "string" && value);
});
app.post(
  "/validated",
  defineValidatedHandler({
    validate: { query: (query) => (query.ok ? query : false), errorHandler: undefined },
    handler: async (event) => ({ query: Object.fromEntries(event.url.searchParams) }),
  }),
);
app.post("/limited", async (event) => await event.req.text(), { middleware: [bodyLimit(10)] });
app.get("/cookies", (event) => {
  setCookie(event, "plain", "value with space", { path: "/", httpOnly: true, sameSite: "lax" });
  setCookie(event, "second", "2");
  deleteCookie(event, "gone");
  return { one: getCookie(event, "a"), all: parseCookies(event) };
});
app.get("/session", async (event) => {
  const session = await useSession(event, { password: "a password of at least 32 characters!" });
  await session.update({ count: (session.data.count ?? 0) + 1 });
  event.res.headers.delete("set-cookie");
  return session.data;
});
app.get("/iterable", () =>
  iterable(async function* () {
    for (let n = 1; n <= 3; n++) yield `chunk ${n}\n`;
  }),
);
app.get("/events", (event) => {
  const events = createEventStream(event);
  (async () => {
    await events.push("one");
    await events.push({ id: "2", event: "named", data: "two" });
    await events.close();
  })();
  return events.send();
});
app.get("/html", () => html`<h1>${"<escaped>"}</h1>`);
app.get("/redirect", () => redirect("/json", 303));
app.get("/no-content", () => noContent());
app.get("/status", (event) => {
  event.res.status = 418;
  event.res.statusText = "Teapot";
  return "short and stout";
});
app.get("/early", async (event) => {
  await writeEarlyHints(event, { link: "</a.css>; rel=preload" });
  return "hinted";
});
app.all("/cors", (event) => {
  const answer = handleCors(event, {
    origin: ["http://example.com"],
    methods: ["PUT"],
    preflight: { statusCode: 204 },
    credentials: true,
  });
  return answer !== false ? answer : "shared";
});
app.get("/cached", (event) =>
  handleCacheHeaders(event, { etag: '"v1"', maxAge: 60, modifiedTime: new Date(0) }) ? null : "fresh",
);
app.get("/basic", () => "in", { middleware: [basicAuth({ username: "ada", password: "pw" })] });
app.all("/only-put", (event) => {
  assertMethod(event, "PUT");
  return "put";
});
app.get(
  "/lazy",
  defineLazyEventHandler(async () => defineHandler(() => "lazy")),
);
app.get("/peer", (event) => typeof getRequestIP(event));
app.get("/inner", async () => `inner: ${await (await app.request("/users/7")).text()}`);
app.get("/static/**", (event) =>
  serveStatic(event, {
    getMeta: (id) => (id === "/static/note.txt" ? { size: 4, type: "text/plain", etag: '"n"', mtime: 0 } : undefined),
    getContents: () => "note",
  }),
);
app.post("/rpc", defineJsonRpcHandler({ methods: { add: ({ params }) => params.a + params.b } }));
app.get("/web", (event) => new Response(event.req.method, { headers: new Headers({ "x-w": "1" }) }));

const nested = new H3();
nested.get("/items", () => [1]);
nested.get("/throws", () => {
  throw new HTTPError({ status: 422, message: "nested", data: { field: "x" } });
});
app.mount("/nested", nested);
app.all(
  "/based/**",
  withBase(
    "/based",
    defineHandler((event) => event.url.pathname),
  ),
);
app.use(
  "/wrapped/**",
  toMiddleware((event) => new Response(`wrapped ${event.url.pathname}`)),
);

app.get("/throws", () => {
  throw new Error("on purpose");
});
app.get("/http-error", () => {
  throw new HTTPError({ status: 403, statusText: "Not You", message: "not you", headers: { "x-why": "because" } });
});
app.get("/rejects", async () => {
  throw HTTPError.status(503, "Later");
});

export default app;

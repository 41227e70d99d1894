// time limit: 240 s
// Elysia, itty-router, tRPC, graphql-yoga and Preact from npm, unchanged, in one server that answers as under Deno.
import { framework, multipart } from "../support/framework.ts";
import type { Question } from "../support/questions.ts";

const json = { "content-type": "application/json" };
const get = (path: string, headers: Question["headers"] = {}): Question => ({ path, headers });
const post = (path: string, body: string, headers: Question["headers"] = json): Question => ({
  method: "POST",
  path,
  body,
  headers,
});
const graphql = (query: string, headers: Question["headers"] = {}) =>
  post("/yoga", JSON.stringify({ query }), { ...json, ...headers });
const events = { accept: "text/event-stream" };
const upload = [
  ["operations", `{"query":"mutation($file: File!) { upload(file: $file) }","variables":{"file":null}}`],
  ["map", `{"0":["variables.file"]}`],
  ["0", "file's text", `; filename="a.txt"\r\nContent-Type: text/plain`],
].map(
  ([name, value, more = ""]) => `--cut\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`,
);

const questions: readonly Question[] = [
  get("/itty/users/42?a=1&b=2&b=3"),
  post("/itty/echo", '{"a":[1,null]}'),
  post("/itty/echo", "{broken"),
  get("/itty/files/a/b/c.txt"),
  get("/itty/users/1", { origin: "http://example.com" }),
  {
    method: "OPTIONS",
    path: "/itty/users/1",
    headers: { origin: "http://example.com", "access-control-request-method": "POST" },
  },
  get("/itty/throws"),
  get("/itty/breaks"),
  get("/itty/nowhere"),
  get("/elysia", { "user-agent": "test" }),
  { method: "HEAD", path: "/elysia" },
  get("/elysia/users/41"),
  get("/elysia/users/none"),
  post("/elysia/valid", '{"title":"t","tags":["a"]}'),
  post("/elysia/valid", '{"title":1}'),
  post("/elysia/form", multipart.body, multipart.headers),
  get("/elysia/cookie", { cookie: "seen=once" }),
  get("/elysia/redirect"),
  get("/elysia/status"),
  get("/elysia/throws"),
  get("/elysia/deep/q?q=x"),
  get("/elysia/deep/q"),
  get("/elysia/nowhere"),
  get(`/trpc/hello?input=${encodeURIComponent('"Ada"')}`, { "x-user": "bob" }),
  get(`/trpc/hello,items.list?batch=1&input=${encodeURIComponent('{"0":"Ada"}')}`),
  post("/trpc/items.add", '"two"'),
  post("/trpc/items.add", "2"),
  get("/trpc/secret"),
  get("/trpc/count"),
  get("/trpc/nowhere"),
  graphql('{ hello(name: "Ada") }'),
  get(`/yoga?query=${encodeURIComponent('{ hello(name: "Ada") }')}`),
  graphql("{ fails }"),
  graphql("{ nothing }"),
  graphql("subscription { count(to: 3) }", events),
  post("/yoga", `${upload.join("")}--cut--\r\n`, { "content-type": "multipart/form-data; boundary=cut" }),
  get("/yoga/nowhere"),
  get("/preact?name=one&name=%3Ctwo%3E"),
  get("/preact/stream?name=one"),
  get("/nowhere"),
];

framework("Elysia, itty-router, tRPC, graphql-yoga and Preact", "many.tsx", questions);

// time limit: 240 s
// h3 from npm, unchanged: one app with much of its toolbox answers under `slipway run` and compiled as under Deno.
import { framework, multipart } from "../support/framework.ts";
import type { Question } from "../support/questions.ts";

const json = { "content-type": "application/json" };
const post = (path: string, body: string | Buffer, headers: Question["headers"] = {}): Question => ({
  method: "POST",
  path,
  body,
  headers,
});
const get = (path: string, headers: Question["headers"] = {}): Question => ({ path, headers });
const types = ["null", "undefined", "number", "boolean", "array", "bytes", "blob", "date", "response"];

const questions: readonly Question[] = [
  get("/"),
  { method: "HEAD", path: "/" },
  get("/json"),
  get("/users/42"),
  get("/named/J%C3%BCrg"),
  get("/deep/a/b"),
  get("/query?a=1&b=2&b=3&c=%20x"),
  get("/url?x=1"),
  get("/headers", { "user-agent": "test", "x-sent": "1" }),
  ...types.map((type) => get(`/types/${type}`)),
  ...["http-response", "stream", "promise", "error", "bigint"].map((type) => get(`/types/${type}`)),
  post("/body", '{"a":[1,{"b":null}]}', json),
  post("/body", "a=1&b=two+words&a=3", { "content-type": "application/x-www-form-urlencoded" }),
  post("/body", "plain", { "content-type": "text/plain" }),
  post("/body", "{broken", json),
  post("/body", ""),
  post("/text", "some ünïcode"),
  post("/form", multipart.body, multipart.headers),
  post("/bytes", Buffer.from([0, 255, 128])),
  post("/pipe", Buffer.alloc(200_000, "pipe")),
  post("/valid", '{"title":"t"}', json),
  post("/valid", '{"title":1}', json),
  post("/validated?ok=1", ""),
  post("/validated", ""),
  post("/limited", "short"),
  post("/limited", "much too long for this"),
  get("/cookies", { cookie: "a=1; b=%20x" }),
  get("/session"),
  get("/iterable"),
  get("/events"),
  get("/html"),
  get("/redirect"),
  get("/no-content"),
  get("/status"),
  get("/early"),
  get("/cors", { origin: "http://example.com" }),
  {
    method: "OPTIONS",
    path: "/cors",
    headers: { origin: "http://example.com", "access-control-request-method": "PUT" },
  },
  get("/cached"),
  get("/cached", { "if-none-match": '"v1"' }),
  get("/basic"),
  get("/basic", { authorization: `Basic ${btoa("ada:pw")}` }),
  get("/only-put"),
  { method: "PUT", path: "/only-put", body: "x" },
  get("/lazy"),
  get("/peer"),
  get("/inner"),
  get("/static/note.txt"),
  get("/static/note.txt", { "if-none-match": '"n"' }),
  get("/static/none.txt"),
  post("/rpc", '{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":2}}', json),
  post("/rpc", '{"jsonrpc":"2.0","id":1,"method":"none"}', json),
  get("/web"),
  get("/nested/items"),
  get("/nested/throws"),
  get("/based/path"),
  get("/wrapped/path"),
  get("/throws"),
  get("/http-error"),
  get("/rejects"),
  get("/nowhere"),
  { method: "DELETE", path: "/json" },
];

framework("h3", "h3.ts", questions);

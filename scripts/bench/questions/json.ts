// What an ordinary API does before its own work begins: read a dozen request
// headers, answer with JSON. Every value goes into the answer, so none can be
// left unread.
import { everyPeer, loadQuestion } from "../load-question.ts";

export default loadQuestion({
  name: "json",
  title: "12 request headers read, a JSON object back, 64 connections",
  handlers: {
    fetch: (request) => {
      const { headers } = request;
      const body = JSON.stringify({
        host: headers.get("host"),
        "user-agent": headers.get("user-agent"),
        accept: headers.get("accept"),
        "accept-language": headers.get("accept-language"),
        "accept-encoding": headers.get("accept-encoding"),
        referer: headers.get("referer"),
        cookie: headers.get("cookie"),
        authorization: headers.get("authorization"),
        "cache-control": headers.get("cache-control"),
        "x-request-id": headers.get("x-request-id"),
        "x-forwarded-for": headers.get("x-forwarded-for"),
        "x-forwarded-proto": headers.get("x-forwarded-proto"),
      });
      return new Response(body, { headers: { "content-type": "application/json" } });
    },
    node: (request, response) => {
      const { headers } = request;
      const body = JSON.stringify({
        host: headers.host,
        "user-agent": headers["user-agent"],
        accept: headers.accept,
        "accept-language": headers["accept-language"],
        "accept-encoding": headers["accept-encoding"],
        referer: headers.referer,
        cookie: headers.cookie,
        authorization: headers.authorization,
        "cache-control": headers["cache-control"],
        "x-request-id": headers["x-request-id"],
        "x-forwarded-for": headers["x-forwarded-for"],
        "x-forwarded-proto": headers["x-forwarded-proto"],
      });
      response.setHeader("content-type", "application/json");
      response.end(body);
    },
    c: "json",
    go: "json",
  },
  request: [
    "GET /orders/17?expand=items HTTP/1.1",
    "Host: localhost:8000",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: application/json",
    "Accept-Language: en-GB,en;q=0.8,de;q=0.6",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: http://localhost:8000/orders",
    "Cookie: session=5e884898da28047151d0e56f8dc62927; theme=dark",
    "Authorization: Bearer 6b86b273ff34fce19d6b804eff5a3f57",
    "Cache-Control: no-cache",
    "X-Request-Id: 4fc82b26-aecb-47d2-868c-4efbe3581732",
    "X-Forwarded-For: 192.0.2.17",
    "X-Forwarded-Proto: https",
    "",
    "",
  ].join("\r\n"),
  peers: everyPeer,
});

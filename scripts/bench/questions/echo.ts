// A small body that goes in and comes out again.
import { loadQuestion } from "../load-question.ts";

const BYTES = 256;

export default loadQuestion({
  name: "echo",
  title: `a body of ${BYTES} bytes read and sent back, 64 connections`,
  handlers: {
    fetch: async (request) => new Response(await request.text()),
    node: (request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.setHeader("content-type", "text/plain;charset=UTF-8");
        response.end(body);
      });
    },
    c: "echo",
    go: "echo",
  },
  request: `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${BYTES}\r\n\r\n`,
  body: BYTES,
});

// 64 MiB up, read piece by piece and counted: the size that is allowed by default.
import { loadQuestion, mebibytes } from "../load-question.ts";

const BYTES = 64 * 2 ** 20;

export default loadQuestion({
  name: "upload",
  title: "64 MiB up, read as a stream, 4 connections",
  handlers: {
    fetch: async (request) => {
      let length = 0;
      if (request.body) for await (const chunk of request.body) length += chunk.length;
      return new Response(String(length));
    },
    node: (request, response) => {
      let length = 0;
      request.on("data", (chunk) => {
        length += chunk.length;
      });
      request.on("end", () => response.end(String(length)));
    },
    c: "upload",
    go: "upload",
  },
  request: `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BYTES}\r\n\r\n`,
  body: BYTES,
  connections: 4,
  counted: mebibytes,
  compareRate: true,
  peak: true,
  against: ["deno", "go"],
});

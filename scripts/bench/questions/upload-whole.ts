// 64 MiB up, as one array: the size that is allowed by default.
import { loadQuestion, mebibytes } from "../load-question.ts";

const BYTES = 64 * 2 ** 20;

export default loadQuestion({
  name: "upload-whole",
  title: "64 MiB up, read as one ArrayBuffer, 4 connections",
  handlers: {
    fetch: async (request) => new Response(String((await request.arrayBuffer()).byteLength)),
    node: async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.end(String(Buffer.concat(chunks).length));
    },
    c: null,
    go: "upload-whole",
  },
  request: `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BYTES}\r\n\r\n`,
  body: BYTES,
  connections: 4,
  counted: mebibytes,
  compareRate: true,
  peak: true,
  against: ["deno", "go"],
});

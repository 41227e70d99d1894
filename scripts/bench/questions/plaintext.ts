// The shortest way through a server: a small request, a constant answer.
import { loadQuestion } from "../load.ts";

export default loadQuestion({
  name: "plaintext",
  title: "a constant text, 64 connections",
  handlers: {
    fetch: () => new Response("Hello, world!"),
    node: (_request, response) => {
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end("Hello, world!");
    },
    c: "plaintext",
  },
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
});

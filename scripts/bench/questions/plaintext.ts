// The shortest way through a server: a small request, a constant answer.
import { everyPeer, loadQuestion, SMALL_REQUEST } from "../load-question.ts";

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
    go: "plaintext",
  },
  request: SMALL_REQUEST,
  peers: everyPeer,
});

// The constant text from a handler that waits once: what a promise costs.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "async",
  title: "a constant text from an async handler, 64 connections",
  handlers: {
    fetch: async () => {
      await null;
      return new Response("Hello, world!");
    },
    node: async (_request, response) => {
      await null;
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end("Hello, world!");
    },
    c: plaintext.handlers.c,
    go: plaintext.handlers.go,
  },
  request: SMALL_REQUEST,
});

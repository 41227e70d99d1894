// Handlers that wait for a timer of a millisecond.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";

export default loadQuestion({
  name: "timers",
  title: "a handler that awaits a timer of 1 ms, 64 connections",
  handlers: {
    fetch: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return new Response("Hello, world!");
    },
    node: async (_request, response) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end("Hello, world!");
    },
    c: null,
    go: "timers",
  },
  request: SMALL_REQUEST,
  compareRate: true,
  against: ["deno", "go"],
});

// Two threads on two cores, for handlers that compute: requests in a second, beside
// one thread's. Nothing is pinned, and the load generator takes its share of the
// same cores; with 100 µs of work in each request that share is small.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";

export default loadQuestion({
  name: "parallel",
  title: "100,000 steps of arithmetic, 64 connections, one thread and two",
  handlers: {
    fetch: () => {
      let hash = 0;
      for (let i = 0; i < 100_000; i++) hash = (Math.imul(hash, 31) + i) | 0;
      return new Response(String(hash));
    },
    node: (_request, response) => {
      let hash = 0;
      for (let i = 0; i < 100_000; i++) hash = (Math.imul(hash, 31) + i) | 0;
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end(String(hash));
    },
    c: null,
    go: "work",
  },
  request: SMALL_REQUEST,
  unpinned: true,
  byRate: true,
  peers: ["slipway", "slipway-2", "node", "node-2", "deno", "deno-2", "bun", "bun-2", "go-1", "go-2"],
  against: ["slipway", "deno-2"],
});

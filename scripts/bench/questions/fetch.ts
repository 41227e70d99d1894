// Handlers that ask another server before they answer.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import { withUpstream } from "../resources.ts";

declare const upstream: string;

export default loadQuestion({
  name: "fetch",
  title: "a handler that awaits a fetch from another server, 64 connections",
  handlers: {
    prelude: "const upstream = process.env.BENCH_UPSTREAM;",
    fetch: async () => new Response(await (await fetch(upstream)).text()),
    node: async (_request, response) => {
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end(await (await fetch(upstream)).text());
    },
    c: null,
    go: "fetch",
  },
  request: SMALL_REQUEST,
  prepare: withUpstream,
  compareRate: true,
  against: ["deno", "go"],
});

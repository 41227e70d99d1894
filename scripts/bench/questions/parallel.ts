// Two threads on two cores, for handlers that have something to do: requests in a
// second, beside one thread's. Nothing is pinned, and the load generator takes its
// share of the same cores: several requests in flight on each connection keep it
// small. The work is native, the same in each thread and each process from its
// first request on: a loop in JavaScript would measure which of V8's compilers
// each thread has come to.
import type { createHash as CreateHash } from "node:crypto";
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";

declare const createHash: typeof CreateHash;
declare const page: Uint8Array;

export default loadQuestion({
  name: "parallel",
  title: "the SHA-256 of 256 KiB, 64 connections, 4 requests in flight on each, one thread and two",
  handlers: {
    prelude: 'import { createHash } from "node:crypto";\nconst page = new Uint8Array(256 * 1024).fill(97);',
    fetch: () => new Response(createHash("sha256").update(page).digest("hex")),
    node: (_request, response) => {
      response.setHeader("content-type", "text/plain;charset=UTF-8");
      response.end(createHash("sha256").update(page).digest("hex"));
    },
    c: null,
    go: "hash",
  },
  request: SMALL_REQUEST,
  depth: 4,
  unpinned: true,
  byRate: true,
  shares: true,
  peers: ["slipway", "slipway-2", "node", "node-2", "deno", "deno-2", "bun", "bun-2", "go-1", "go-2"],
  against: ["slipway", "deno-2"],
});

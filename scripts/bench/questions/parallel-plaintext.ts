// How much of the smallest request two cores carry, the load generator among it:
// what one thread has is a core for itself and the generator on the other, so two
// can never have twice of that (docs/performance.md).
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "parallel-plaintext",
  title: "a constant text, 64 connections, one thread and two",
  handlers: plaintext.handlers,
  request: SMALL_REQUEST,
  unpinned: true,
  byRate: true,
  shares: true,
  peers: ["slipway", "slipway-2", "node-2", "deno", "deno-2", "bun", "bun-2", "go-1", "go-2"],
  against: ["slipway", "deno-2"],
});

// A thousand connections, all of them busy.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "thousand",
  title: "a constant text, 1,000 connections",
  handlers: plaintext.handlers,
  request: SMALL_REQUEST,
  connections: 1000,
  peers: ["slipway", "slipway-epoll", "node", "deno", "bun", "go", "c", "c-uring"],
});

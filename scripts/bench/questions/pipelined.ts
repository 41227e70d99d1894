// Sixteen requests in flight on each connection: what the server itself costs
// once the kernel's share is spread over many requests.
import { everyPeer, loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "pipelined",
  title: "a constant text, 64 connections, 16 requests in flight on each",
  handlers: plaintext.handlers,
  request: SMALL_REQUEST,
  depth: 16,
  peers: everyPeer,
});

// Sixteen requests in flight on each connection: what the server itself costs
// once the kernel's share is spread over many requests.
import { loadQuestion } from "../load.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "pipelined",
  title: "a constant text, 64 connections, 16 requests in flight on each",
  handlers: plaintext.handlers,
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
  depth: 16,
});

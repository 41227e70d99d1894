// The constant text by HTTP/2, as browsers and gateways ask: few connections, many streams.
import { h2loadQuestion } from "../load-h2load.ts";
import plaintext from "./plaintext.ts";

export default h2loadQuestion({
  name: "http2",
  title: "a constant text by HTTP/2 over TLS, 16 connections with 16 streams each",
  handlers: { ...plaintext.handlers, c: null, tls: "h2" },
  connections: 16,
  streams: 16,
  peers: ["slipway", "slipway-epoll", "node", "deno", "bun", "go"],
});

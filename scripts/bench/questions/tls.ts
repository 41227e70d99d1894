// The constant text over TLS: HTTP/1.1 on connections that stay, 64 of them.
import { h2loadQuestion } from "../load-h2load.ts";
import plaintext from "./plaintext.ts";

export default h2loadQuestion({
  name: "tls",
  title: "a constant text over TLS, HTTP/1.1, 64 connections",
  handlers: { ...plaintext.handlers, c: null, tls: "http/1.1" },
  connections: 64,
  streams: 1,
  peers: ["slipway", "slipway-epoll", "node", "deno", "bun", "go"],
});

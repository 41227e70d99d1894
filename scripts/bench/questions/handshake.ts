// A new TLS connection with a whole handshake: a P-256 certificate, TLS 1.3, whatever key exchange both prefer.
import { clientQuestion } from "../client-question.ts";
import tls from "./tls.ts";

export default clientQuestion({
  name: "handshake",
  title: "new TLS connections with a whole handshake each, 16 at a time",
  handlers: tls.handlers,
  client: "handshake",
  counted: "handshake",
  peers: tls.peers,
});

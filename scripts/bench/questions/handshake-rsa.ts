// The same with a certificate of RSA-2048, which many sites still have: its signature is the dearest part of a handshake.
import { clientQuestion } from "../client-question.ts";
import tls from "./tls.ts";

export default clientQuestion({
  name: "handshake-rsa",
  title: "new TLS connections with a whole handshake each, RSA-2048, 16 at a time",
  handlers: { ...tls.handlers, rsa: true },
  client: "handshake",
  counted: "handshake",
  peers: tls.peers,
});

// The same where the certificate is of RSA-2048: what a resumed session saves is its signature.
import { clientQuestion } from "../client-question.ts";
import resumed from "./resumed.ts";
import tls from "./tls.ts";

export default clientQuestion({
  name: "resumed-rsa",
  title: "new TLS connections that resume a session, RSA-2048, 16 at a time",
  handlers: { ...tls.handlers, rsa: true },
  client: "resumed",
  counted: "handshake",
  peers: resumed.peers,
  against: ["node", "bun"],
});

// A new TLS connection that goes on with a session of before: no certificate, no signature.
import { clientQuestion } from "../client-question.ts";
import tls from "./tls.ts";

export default clientQuestion({
  name: "resumed",
  title: "new TLS connections that resume a session, 16 at a time",
  handlers: tls.handlers,
  client: "resumed",
  counted: "handshake",
  // Deno goes on with no session of before.
  peers: tls.peers?.filter((peer) => peer !== "deno"),
  against: ["node", "bun"],
});

// A new connection for each request: accept, one answer, close.
import { everyPeer, loadQuestion } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "connect",
  title: "a constant text, a new connection per request, 64 at a time",
  handlers: { ...plaintext.handlers, c: "close" },
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  peers: everyPeer,
});

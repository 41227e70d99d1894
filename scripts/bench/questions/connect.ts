// A new connection for each request: accept, one answer, close.
import { loadQuestion } from "../load.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "connect",
  title: "a constant text, a new connection per request, 64 at a time",
  handlers: { ...plaintext.handlers, c: null }, // the C loop never closes by itself
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
});

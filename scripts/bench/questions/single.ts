// One connection, one request at a time: every request is a full turn, from
// parked to answered to parked again.
import { loadQuestion } from "../load.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "single",
  title: "a constant text, one connection",
  handlers: plaintext.handlers,
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
  connections: 1,
});

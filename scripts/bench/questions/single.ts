// One connection, one request at a time: every request is a full turn, from
// parked to answered to parked again.
import { everyPeer, loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

export default loadQuestion({
  name: "single",
  title: "a constant text, one connection",
  handlers: plaintext.handlers,
  request: SMALL_REQUEST,
  connections: 1,
  peers: everyPeer,
});

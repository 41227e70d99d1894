// How long until a server that was not running answers: from exec to the first
// bytes of the first 200. Not pinned, since start-up may use all cores, as it
// does for the person who waits. The first, discarded round warms the page cache.
import { residentBytes } from "../cpu.ts";
import type { Question } from "../question.ts";
import { freePort, startServer } from "../server.ts";
import plaintext from "./plaintext.ts";

const question: Question = {
  name: "start",
  title: "from exec to the first 200",
  unit: "ms",
  digits: 1,
  handlers: plaintext.handlers,
  fresh: true,
  peers: ["compiled", "slipway", "commonjs", "deno", "bun", "c"],
  against: ["commonjs", "deno"],
  rounds: 10,
  extra: [{ key: "mebibytes", label: "MiB resident", digits: 1 }],
  async measure(subject) {
    const port = await freePort();
    const server = await startServer(subject.command(port), port, null);
    const mebibytes = residentBytes(server.pids) / 2 ** 20;
    await server.stop();
    return { value: server.startedIn, extra: { mebibytes } };
  },
};
export default question;

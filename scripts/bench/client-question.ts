// The questions of load-client.ts: what one kind of client costs the server, each time.
import { fileURLToPath } from "node:url";
import { output } from "./load.ts";
import type { ClientResult } from "./load-client.ts";
import type { Question } from "./question.ts";
import { pinned } from "./server.ts";

export interface ClientSpec extends Pick<Question, "name" | "title" | "handlers" | "peers" | "against"> {
  readonly client: "handshake" | "resumed" | "websocket";
  /** What there is one of each time. */
  readonly counted: string;
}

export function clientQuestion({ client, counted, ...rest }: ClientSpec): Question {
  return {
    ...rest,
    unit: `CPU µs/${counted}`,
    extra: [
      { key: "rate", label: `${counted}s/s`, digits: 0 },
      { key: "busy", label: "busy %", digits: 0 },
    ],
    async measure({ peer, server }, settings) {
      if (!server) throw new Error(`${rest.name}: a load question needs a running server`);
      const { port, pids } = server;
      const script = fileURLToPath(new URL("load-client.ts", import.meta.url));
      const command = [process.execPath, script, client, String(port), String(settings.seconds), pids.join()];
      const result = JSON.parse(await output(pinned(command, settings.loadCore), 90_000)) as ClientResult;
      const { count, failed, seconds, cpuSeconds } = result;
      if (failed > 0 || count === 0) throw new Error(`${rest.name}: ${peer} did ${count}, and failed ${failed} times`);
      return {
        value: (cpuSeconds / count) * 1e6,
        extra: { rate: count / seconds, busy: (cpuSeconds / seconds) * 100 },
      };
    },
  };
}

// Ends of every kind under traffic, for executables and from source: always the right exit code, never a crash. What a thread's watch on
// its poller does when the thread is taken down under it is an abort, now and then.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, type Finished, type Server } from "../support/process.ts";
import { Client, oneEach, type serve } from "./support.ts";

const AT_ONCE = 4;

interface Ending {
  readonly name: string;
  readonly code: number;
  end(server: Server, client: Client): void;
}

const endings: readonly Ending[] = [
  { name: "SIGTERM", code: 0, end: ({ child }) => void child.kill("SIGTERM") },
  { name: "SIGINT", code: 0, end: ({ child }) => void child.kill("SIGINT") },
  { name: "process.exit in a worker", code: 7, end: (_, client) => ask(client, "/exit") },
  { name: "Deno.exit in a worker", code: 8, end: (_, client) => ask(client, "/deno-exit") },
  {
    name: "an uncaught error and SIGTERM at once",
    code: 0,
    end({ child }, client) {
      ask(client, "/throw");
      child.kill("SIGTERM");
    },
  },
  {
    name: "process.exit in one worker while the other computes without end",
    code: 7,
    end(_, client) {
      ask(client, "/exit");
    },
  },
];

async function once({ name, end }: Ending, begin: typeof serve): Promise<Finished> {
  const server = await begin(["--drain-idle", "10ms"]);
  let ended = false;
  const traffic = Array.from({ length: 4 }, async () => {
    while (!ended) {
      const client = new Client(server.port);
      try {
        for (let i = 0; i < 5; i++) await client.get();
      } catch {
        // It has ended, or is about to.
        await new Promise((done) => setTimeout(done, 5));
      }
      client.close();
    }
  });
  try {
    const [a, b] = await oneEach(server.port);
    if (name.includes("computes")) ask(b.client, "/spin");
    end(server, a.client);
    return await server.finished;
  } finally {
    ended = true;
    server.child.kill("SIGKILL");
    await Promise.all(traffic);
  }
}

function ask(client: Client, path: string): void {
  client.get(path).catch(() => {});
}

async function many(ending: Ending, begin: typeof serve, times: number): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const { code, signal, stderr } = await once(ending, begin);
      // One that died as all ended has cut what it was at.
      const right = code === ending.code || (ending.name.startsWith("an uncaught error") && code === 1);
      assert.ok(right && signal === null, `${ending.name}: exit code ${code}, ${signal}\n${stderr}`);
      assert.not.match(stderr, /FATAL|Segmentation|napi/);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Runs each ending so many times, on servers that `begin` starts. */
export function exits(what: string, begin: typeof serve, times: number): void {
  for (const ending of endings) test(`${what}: ${ending.name}`, () => many(ending, begin, times));
  test.after(endProcesses);
  test.run();
}

/**
 * Ordinary clients, in a thread of their own: the load of the attackers must not be mistaken for the server's slowness.
 * Each has a keep-alive connection and sends a request every so often; how long the whole answer takes is kept by
 * phase. An answer that is wrong, or does not come, is kept as a sentence.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { percentile } from "./statistics.ts";
import { connect, Ended, get, type Wire } from "./wire.ts";

export interface Phase {
  readonly name: string;
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Failure {
  readonly text: string;
  /** The connection ended early; from when to when it was waited for, and who had it. */
  readonly ended: boolean;
  readonly began: number;
  readonly at: number;
  readonly worker: string | undefined;
}

export interface OrdinaryReport {
  readonly phases: readonly Phase[];
  /** All that was not as it should be. */
  readonly wrong: readonly Failure[];
}

interface Data {
  readonly port: number;
  readonly clients: number;
  readonly everyMs: number;
}

/** The clients, as the soak holds them. */
export class Ordinary {
  readonly #worker: Worker;

  constructor(port: number, clients: number, everyMs: number) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { port, clients, everyMs } satisfies Data });
  }

  /** From now on what is measured belongs to this phase; a name may come again. "" measures nothing. */
  phase(name: string): void {
    this.#worker.postMessage({ phase: name });
  }

  /** Stops the clients; what they saw. */
  async finish(): Promise<OrdinaryReport> {
    const { promise, resolve, reject } = Promise.withResolvers<OrdinaryReport>();
    this.#worker.once("message", resolve);
    this.#worker.once("error", reject);
    this.#worker.postMessage({ finish: true });
    const report = await promise;
    await this.#worker.terminate();
    return report;
  }
}

if (!isMainThread && parentPort !== null) {
  const { port, clients, everyMs } = workerData as Data;
  const port_ = parentPort;
  const times = new Map<string, number[]>();
  const wrong: Failure[] = [];
  let phase = "";
  let stopping = false;
  port_.on("message", (message: { phase?: string; finish?: boolean }) => {
    if (message.phase !== undefined) phase = message.phase;
    if (message.finish) stopping = true;
  });

  const client = async (index: number): Promise<void> => {
    let wire: Wire | undefined;
    // Not all at the same moment.
    await pause((everyMs * index) / clients);
    for (let i = 0; !stopping; i++) {
      const began = performance.now();
      const beganAt = Date.now();
      const measured = phase;
      const failed = (text: string, ended: boolean): void =>
        void wrong.push({ text, ended, began: beganAt, at: Date.now(), worker: wire?.worker });
      let limit: NodeJS.Timeout | undefined;
      try {
        wire ??= await connect(port);
        const asked = wire;
        const mark = `${index}-${i}`;
        wire.write(get(`/hello?mark=${mark}`));
        limit = setTimeout(() => asked.socket.destroy(new Error("no answer in 20 s")), 20_000);
        const answer = await wire.answer();
        const text = answer.body.toString();
        if (answer.status !== 200 || text !== `hello ${mark}`) failed(`${answer.status} ${text.slice(0, 100)}`, false);
        if (answer.close) {
          wire.socket.destroy();
          wire = undefined;
        }
        const took = performance.now() - began;
        if (measured !== "" && measured === phase) {
          const list = times.get(measured);
          if (list === undefined) times.set(measured, [took]);
          else list.push(took);
        }
      } catch (error) {
        const ended = error instanceof Ended;
        if (!stopping) failed(`an ordinary client: ${ended ? error.message : error}`, ended);
        wire?.socket.destroy();
        wire = undefined;
        await pause(100);
      } finally {
        clearTimeout(limit);
      }
      await pause(Math.max(0, everyMs - (performance.now() - began)));
    }
    wire?.socket.destroy();
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  const phases = [...times].map(([name, list]): Phase => {
    const max = list.reduce((most, value) => Math.max(most, value), 0);
    return { name, requests: list.length, p50: percentile(list, 0.5), p99: percentile(list, 0.99), max };
  });
  port_.postMessage({ phases, wrong } satisfies OrdinaryReport);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Worker threads that are made to die, one every few seconds, and what else that explains: the connections that a dead
 * one had are lost with it, and no others may be.
 */
import { type Context, type Kind, pause } from "./clients.ts";
import { connect, get, Wrong } from "./wire.ts";

/** Ten deaths in a minute end the process (src/parallel/pool.ts). */
const APART_MS = 7500;
/** How an end may be told of before the death that it comes of. */
const LATE_MS = 500;
const DIES_MS = 20_000;
/** Not "memory": under traffic Node may end the process with such a thread (docs/2-run.md). */
const HOW = ["throw", "reject"] as const;

export class Deaths {
  /** By worker: from when it was asked for until it was seen. */
  readonly #died = new Map<string, { readonly from: number; until: number }>();
  #last = 0;
  readonly counts = new Map<string, number>();

  get size(): number {
    return this.#died.size;
  }

  /** Whether a connection of this worker's, or of one that is not known, can have ended with a death since `began`. */
  async explain(worker: string | undefined, began: number): Promise<boolean> {
    await pause(LATE_MS);
    return this.explains(worker, began, Date.now());
  }

  explains(worker: string | undefined, began: number, until: number): boolean {
    if (worker !== undefined) return this.#died.has(worker);
    const during = (death: { from: number; until: number }): boolean =>
      death.from <= until + LATE_MS && death.until >= began - LATE_MS;
    return [...this.#died.values()].some(during);
  }

  /** Asks for a death on one connection, which ends with it. */
  async #kill({ port, random, stop }: Context): Promise<string> {
    await pause(Math.max(0, this.#last + APART_MS - Date.now()), stop);
    if (stop.aborted) return "not begun";
    this.#last = Date.now();
    using wire = await connect(port);
    const how = random.pick(HOW);
    wire.write(get(`/die?how=${how}`));
    await wire.answer();
    const { worker } = wire;
    if (worker === undefined) throw new Wrong("nobody says which worker dies");
    const death = { from: Date.now(), until: Number.POSITIVE_INFINITY };
    this.#died.set(worker, death);
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1);
    const survived = pause(DIES_MS).then(() => "survives");
    if ((await Promise.race([wire.gone(), survived])) === "survives") throw new Wrong(`${how}: the worker lives on`);
    death.until = Date.now();
    return `died: ${how}`;
  }

  kind(): Kind {
    return { name: "deaths", count: 1, everyMs: 1000, good: false, run: (context) => this.#kill(context) };
  }
}

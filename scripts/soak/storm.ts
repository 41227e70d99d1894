/** Runs the kinds of `clients.ts` beside each other until told to stop, and counts what became of each. */
import { type Context, type Kind, pause } from "./clients.ts";
import type { Deaths } from "./deaths.ts";
import type { HeldUp } from "./held-up.ts";
import type { Random } from "./random.ts";
import { Ended, Wrong } from "./wire.ts";

/** What became of the clients, over all rounds. */
export class Outcomes {
  /** What must not be. */
  readonly wrong: string[] = [];
  /** By kind: outcome and how often. */
  readonly #counts = new Map<string, Map<string, number>>();

  count(name: string, outcome: string): void {
    let counts = this.#counts.get(name);
    if (counts === undefined) this.#counts.set(name, (counts = new Map()));
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }

  print(): void {
    for (const [name, counts] of this.#counts) {
      const list = [...counts].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${count} ${outcome}`);
      console.log(`  ${name.padEnd(16)} ${list.join(", ")}`);
    }
  }
}

export type Where = Omit<Context, "random" | "stop">;

export class Storm {
  readonly #outcomes: Outcomes;
  readonly #deaths: Deaths | undefined;
  readonly #controller = new AbortController();
  readonly #heldUp: HeldUp;
  readonly #all: Promise<unknown>;

  constructor(
    where: Where,
    random: Random,
    kinds: readonly Kind[],
    outcomes: Outcomes,
    heldUp: HeldUp,
    deaths?: Deaths,
  ) {
    this.#heldUp = heldUp;
    this.#outcomes = outcomes;
    this.#deaths = deaths;
    const context: Context = { ...where, random, stop: this.#controller.signal };
    this.#all = Promise.all(
      kinds.flatMap((kind) => Array.from({ length: kind.count }, (_, i) => this.#loop(kind, context, i))),
    );
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#all;
  }

  async #loop(kind: Kind, context: Context, index: number): Promise<void> {
    const { stop } = context;
    await pause((kind.everyMs * index) / kind.count, stop);
    while (!stop.aborted) {
      this.#outcomes.count(kind.name, await this.#once(kind, context));
      await pause(kind.everyMs, stop);
    }
  }

  async #once(kind: Kind, context: Context): Promise<string> {
    // Nothing takes this long but what hangs. (Those who wait to be cut end with the soak.)
    const hung = Promise.withResolvers<string>();
    const began = Date.now();
    const beganAt = performance.now();
    const limit = kind.good ? setTimeout(() => hung.reject(new Wrong("no answer in 60 s")), 60_000) : undefined;
    try {
      return await Promise.race([kind.run(context), hung.promise]);
    } catch (error) {
      const ended = error instanceof Ended;
      if (ended && kind.good && (await this.#deaths?.explain(error.worker, began))) return "lost with its worker";
      if (ended && kind.good && this.#heldUp.since(beganAt)) return `held up by this machine, and ${error.message}`;
      if (!ended || kind.good)
        this.#outcomes.wrong.push(`${kind.name}: ${error instanceof Error ? error.message : error}`);
      return ended ? error.message : "wrong";
    } finally {
      clearTimeout(limit);
    }
  }
}

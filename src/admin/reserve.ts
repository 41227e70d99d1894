/**
 * Descriptors kept back for the admin port: at the descriptor limit, when everything else has to wait, somebody wants
 * to know why. Each holds a place; when accept(2) says EMFILE, they are let go and what waits is accepted in the same
 * breath. As connections close they are taken again.
 */
import { closeSync, openSync } from "node:fs";
import type { Runtime } from "../runtime/turn.ts";

/** For a scraper, a prober, a person, and for what is read from files to answer them. */
const KEPT = 4;

export class Reserve {
  readonly #runtime: Runtime;
  readonly #descriptors: number[] = [];

  constructor(rt: Runtime) {
    this.#runtime = rt;
    this.#fill();
  }

  /** Whether places are in use that are not given back yet. */
  get inUse(): boolean {
    return this.#descriptors.length < KEPT;
  }

  /** Lets go of the places for as long as `use` runs, which must not wait. */
  lend<T>(use: (places: number) => T): T {
    const places = this.#descriptors.splice(0);
    for (const fd of places) closeSync(fd);
    try {
      return use(places.length);
    } finally {
      this.#fill();
    }
  }

  close(): void {
    this.#runtime.closing.delete(this.#refill);
    for (const fd of this.#descriptors.splice(0)) closeSync(fd);
  }

  #fill(): void {
    try {
      while (this.inUse) this.#descriptors.push(openSync("/dev/null", "r"));
      this.#runtime.closing.delete(this.#refill);
    } catch {
      this.#runtime.closing.add(this.#refill);
    }
  }

  readonly #refill = (): void => this.#fill();
}

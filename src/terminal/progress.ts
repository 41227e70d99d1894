/**
 * One line on standard error about what is being done, where somebody watches and it takes more than a second. In a pipe
 * there is none.
 */
import { writeSync } from "node:fs";
import { isTerminal } from "./colors.ts";

const PATIENCE_MS = 1000;
const REDRAW_MS = 250;

export class Progress {
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #write: ((text: string) => void) | undefined;
  #step = "";
  #drawn = false;

  /** `write`: absent where nobody watches. */
  constructor(write: ((text: string) => void) | undefined = isTerminal(2) ? (text) => writeSync(2, text) : undefined) {
    this.#write = write;
    if (write !== undefined) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  /** What comes next. It is drawn at once when time is up: what comes may leave no turn to do so. */
  step(text: string): void {
    this.#step = text;
    this.#draw();
  }

  /** The line goes, and whatever is written next stands in its place. */
  end(): void {
    clearInterval(this.#timer);
    this.pause();
  }

  /** The line goes for what is written next; the next step brings it back. */
  pause(): void {
    if (this.#drawn) this.#write?.("\r\x1b[K");
    this.#drawn = false;
    this.#step = "";
  }

  #draw(): void {
    const ms = performance.now() - this.#began;
    if (this.#step === "" || ms < PATIENCE_MS) return;
    this.#write?.(`\r\x1b[K${this.#step} (${(ms / 1000).toFixed(1)} s)`);
    this.#drawn = true;
  }
}

/** Ends it however the work ends. */
export async function withProgress<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = new Progress();
  try {
    return await work(progress);
  } finally {
    progress.end();
  }
}

/**
 * Lines on their way out: a bounded queue in front of a channel that never waits. A reader that stops reading costs
 * `most` characters of memory and the lines beyond, which are dropped and counted; a reader that is gone or a full disk
 * costs the lines that met it, and the next ones are tried again.
 */
import { countDropped, type DropReason } from "../runtime/log-rate.ts";
import type { Channel } from "./channel.ts";

/** Held for a reader that is slow. */
const MOST_HELD = 1024 * 1024;
/**
 * Lines that may wait for each other do so this long, or until so many characters have gathered, if the last write is
 * not longer ago: a busy server's access log takes 50 writes a second then instead of one a turn (2 µs less a request),
 * and that of a quiet one is written at the end of the turn.
 */
const GATHER_MS = 20;
const GATHERED = 65_536;
/** When a full pipe is tried again: at once, then less and less often. */
const RETRY_FIRST_MS = 5;
const RETRY_LAST_MS = 200;
/** How long the end of the process may wait for the reader. */
const EXIT_MS = 500;

export interface OutputSettings {
  readonly most?: number;
  /** The line that says what was dropped, with its line end. */
  readonly dropLine: (reason: DropReason, lines: number) => string;
}

export class LogOutput {
  readonly #channel: Channel;
  readonly #most: number;
  readonly #dropLine: OutputSettings["dropLine"];
  #queue: string[] = [];
  #held = 0;
  /** Encoded, partly written; of so many lines. */
  #rest: Uint8Array | undefined;
  #restLines = 0;
  #restChars = 0;
  /** Gathered lines will be written. */
  #scheduled = false;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #inFlight = false;
  /** Something came meanwhile that does not wait for others. */
  #urgent = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_FIRST_MS;
  /** The last write came through. */
  #healthy = true;
  #closing = false;
  readonly #dropped: Record<DropReason, number> = { rate: 0, full: 0, failed: 0 };

  constructor(channel: Channel, { most = MOST_HELD, dropLine }: OutputSettings) {
    this.#channel = channel;
    this.#most = most;
    this.#dropLine = dropLine;
  }

  /** Takes a line, with its line end. It leaves at once, or with others in a moment. */
  write(line: string, gather = false): void {
    if (this.#held + line.length > this.#most) {
      this.#count("full", 1);
      return;
    }
    this.#queue.push(line);
    this.#held += line.length;
    if (this.#closing) return this.close();
    if (!gather) this.#urgent = true;
    if (this.#retry !== undefined || this.#inFlight) return;
    if (!gather || this.#held >= GATHERED) this.flush();
    else if (!this.#scheduled) this.#schedule();
  }

  /** Characters that wait. */
  get held(): number {
    return this.#held;
  }

  /** Writes what can be written now. */
  flush(): void {
    if (this.#inFlight || this.#retry !== undefined) return;
    this.#urgent = false;
    while (this.#next()) {
      const bytes = this.#rest as Uint8Array;
      if (this.#channel.kind === "later") {
        this.#inFlight = true;
        this.#channel.write(bytes, (error, written) => {
          this.#inFlight = false;
          if (error === null) this.#wrote(written);
          else this.#lost();
          const wait = this.#rest === undefined && this.#queue.length > 0 && !this.#urgent && this.#held < GATHERED;
          if (!wait) this.flush();
          else if (!this.#scheduled) this.#schedule();
        });
        return;
      }
      if (!this.#tryNow(bytes, this.#channel.write)) {
        this.#retry = setTimeout(this.#again, this.#retryMs);
        this.#retry.unref();
        this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
        return;
      }
      this.#retryMs = RETRY_FIRST_MS;
    }
  }

  /** At the end of the process: what a reader takes within a bound. */
  close(): void {
    this.#closing = true;
    const until = performance.now() + EXIT_MS;
    const channel = this.#channel;
    if (channel.kind === "later" && this.#inFlight) {
      while (!channel.arrived() && performance.now() < until) pause();
      this.#forget();
      this.#inFlight = false;
    }
    const write = channel.kind === "later" ? channel.writeSync : channel.write;
    while (this.#next()) {
      if (this.#tryNow(this.#rest as Uint8Array, write)) continue;
      if (performance.now() > until) break;
      pause();
    }
  }

  #schedule(): void {
    this.#scheduled = true;
    if (performance.now() - this.#flushedAt > GATHER_MS) setImmediate(this.#gathered);
    else setTimeout(this.#gathered, GATHER_MS).unref();
  }

  readonly #gathered = (): void => {
    this.#scheduled = false;
    this.#flushedAt = performance.now();
    this.flush();
  };

  readonly #again = (): void => {
    this.#retry = undefined;
    this.flush();
  };

  /** False when there is no room now. */
  #tryNow(bytes: Uint8Array, write: (bytes: Uint8Array) => number): boolean {
    try {
      const written = write(bytes);
      if (written === 0) return false;
      this.#wrote(written);
    } catch {
      // EPIPE: the reader has gone. ENOSPC: the disk is full. A server outlives its log.
      this.#lost();
    }
    return true;
  }

  /** Sees to `#rest`; false when there is nothing to write. */
  #next(): boolean {
    if (this.#rest !== undefined) return true;
    if (this.#queue.length === 0) return this.#tellDropped() && this.#next();
    const { unit } = this.#channel;
    let chars = this.#queue[0].length;
    let lines = 1;
    while (lines < this.#queue.length && chars + this.#queue[lines].length <= unit)
      chars += this.#queue[lines++].length;
    this.#rest = Buffer.from(lines === 1 ? this.#queue[0] : this.#queue.slice(0, lines).join(""), "utf8");
    this.#restLines = lines;
    this.#restChars = chars;
    this.#queue.splice(0, lines);
    return true;
  }

  #wrote(bytes: number): void {
    this.#healthy = true;
    const rest = this.#rest as Uint8Array;
    if (bytes < rest.length) this.#rest = rest.subarray(bytes);
    else this.#forget();
  }

  #lost(): void {
    this.#healthy = false;
    this.#count("failed", this.#restLines);
    this.#forget();
  }

  #forget(): void {
    this.#held -= this.#restChars;
    this.#restChars = 0;
    this.#rest = undefined;
  }

  #count(reason: DropReason, lines: number): void {
    this.#dropped[reason] += lines;
    countDropped(reason, lines);
  }

  /** Once the queue has left there is room for a line about those that did not. */
  #tellDropped(): boolean {
    if (!this.#healthy) return false;
    let told = false;
    for (const reason of ["full", "failed"] as const) {
      const lines = this.#dropped[reason];
      if (lines === 0) continue;
      this.#dropped[reason] = 0;
      const line = this.#dropLine(reason, lines);
      this.#queue.push(line);
      this.#held += line.length;
      told = true;
    }
    return told;
  }
}

/** The event loop does not turn any more: this is the way to wait. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_FIRST_MS);
}

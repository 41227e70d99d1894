/**
 * Lines on their way out: a bounded queue in front of a channel that never waits. Lines of one turn leave together. A
 * reader that stops reading costs `most` characters of memory and the lines beyond, which are dropped and counted; a
 * reader that is gone or a full disk costs the lines that met it, and the next ones are tried again.
 */
import { countDropped, type DropReason } from "../runtime/log-rate.ts";
import type { Channel } from "./channel.ts";

/** Held for a reader that is slow. */
const MOST_HELD = 1024 * 1024;
/** Written within a turn, rather than at its end, once this much has gathered. */
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
  #scheduled = false;
  #inFlight = false;
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

  /** Takes a line, with its line end. It leaves at once, or with others at the end of the turn. */
  write(line: string, gather = false): void {
    if (this.#held + line.length > this.#most) {
      this.#count("full", 1);
      return;
    }
    this.#queue.push(line);
    this.#held += line.length;
    if (this.#closing) return this.close();
    if (this.#retry !== undefined || this.#inFlight) return;
    if (!gather || this.#held >= GATHERED) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.flush);
    }
  }

  /** Characters that wait. */
  get held(): number {
    return this.#held;
  }

  /** Writes what can be written now. */
  readonly flush = (): void => {
    this.#scheduled = false;
    if (this.#inFlight || this.#retry !== undefined) return;
    while (this.#next()) {
      const bytes = this.#rest as Uint8Array;
      if (this.#channel.kind === "later") {
        this.#inFlight = true;
        this.#channel.write(bytes, (error, written) => {
          this.#inFlight = false;
          if (error === null) this.#wrote(written);
          else this.#lost();
          this.flush();
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
  };

  /** At the end of the process: what a reader takes within a bound. */
  close(): void {
    this.#closing = true;
    const { kind } = this.#channel;
    // What a thread is still writing is written: only the end of a file's write is unknown here.
    if (this.#inFlight) this.#forget();
    const write = kind === "now" ? this.#channel.write : (bytes: Uint8Array) => this.#writeSync(bytes);
    const until = performance.now() + EXIT_MS;
    while (this.#next()) {
      if (this.#tryNow(this.#rest as Uint8Array, write)) continue;
      if (performance.now() > until) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_FIRST_MS);
    }
  }

  readonly #again = (): void => {
    this.#retry = undefined;
    this.flush();
  };

  #writeSync(bytes: Uint8Array): number {
    return this.#channel.kind === "later" ? this.#channel.writeSync(bytes) : 0;
  }

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

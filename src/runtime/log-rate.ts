/**
 * How much of one kind of message is written: an attack that makes us complain must not fill a disk, nor keep the server
 * busy with complaining. What was left out is counted, and said.
 */
import { monotonicNow } from "./clock.ts";
import type { LogEntry } from "./log.ts";

/** Of one kind, so many at once, and then so many a second. */
const BURST = 50;
const PER_SECOND = 5;
/** More kinds than our sources have; past it, those that are new share one bucket until some have been quiet. */
const MOST_KINDS = 256;
/** After this a bucket is full again, and need not be kept. */
const FULL_MS = (BURST / PER_SECOND) * 1000;
/** What was left out is told after this time. */
const REPORT_MS = 5000;

/** Why lines were not written: too many of them, a reader that does not read, an output that fails. */
export type DropReason = "rate" | "full" | "failed";
const dropped: Record<DropReason, number> = { rate: 0, full: 0, failed: 0 };

/** Lines of the log, those of the access log among them, that were not written, since the process began. */
export function droppedLines(): Readonly<Record<DropReason, number>> {
  return dropped;
}

export function countDropped(reason: DropReason, lines: number): void {
  dropped[reason] += lines;
}

/** Fills at a constant rate, up to its size; each entry takes one out. */
export class TokenBucket {
  readonly #size: number;
  readonly #perMs: number;
  #tokens: number;
  #at: number;

  constructor(size: number, perSecond: number, now: number) {
    this.#size = size;
    this.#perMs = perSecond / 1000;
    this.#tokens = size;
    this.#at = now;
  }

  take(now: number): boolean {
    if (this.#tokens < 1 || now - this.#at > 1000) {
      this.#tokens = Math.min(this.#size, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
      this.#at = now;
      if (this.#tokens < 1) return false;
    }
    this.#tokens--;
    return true;
  }
}

interface Kind {
  readonly bucket: TokenBucket;
  readonly example: LogEntry;
  left: number;
  usedAt: number;
}

export class MessageRate {
  readonly #write: (entry: LogEntry) => void;
  readonly #kinds = new Map<string, Kind>();
  #sweptAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `write` gets what the reports say. */
  constructor(write: (entry: LogEntry) => void) {
    this.#write = write;
  }

  admits(entry: LogEntry): boolean {
    const now = monotonicNow();
    const kind = this.#kind(entry, now);
    if (kind.bucket.take(now)) return true;
    kind.left++;
    dropped.rate++;
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#report(), REPORT_MS);
      this.#timer.unref();
    }
    return false;
  }

  /** Messages that differ in numbers and addresses only are of one kind. */
  #kind(entry: LogEntry, now: number): Kind {
    const name = entry.message.slice(0, 200).replace(/\S+/g, (word) => (/\d/.test(word) ? "#" : word));
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      if (this.#kinds.size >= MOST_KINDS) this.#forgetQuiet(now);
      const room = this.#kinds.size < MOST_KINDS;
      kind = room ? undefined : this.#kinds.get(OTHERS);
      if (kind === undefined) {
        const message = room ? entry.message.slice(0, 200) : "of many other kinds";
        const bucket = new TokenBucket(BURST, PER_SECOND, now);
        kind = { bucket, example: { level: entry.level, message }, left: 0, usedAt: now };
        this.#kinds.set(room ? name : OTHERS, kind);
      }
    }
    kind.usedAt = now;
    return kind;
  }

  /** At most once a second: a flood of new kinds must not cost a look at all of them each time. */
  #forgetQuiet(now: number): void {
    if (Math.abs(now - this.#sweptAt) < 1000) return;
    this.#sweptAt = now;
    for (const [name, kind] of this.#kinds) {
      if (kind.left === 0 && now - kind.usedAt > FULL_MS) this.#kinds.delete(name);
    }
  }

  #report(): void {
    this.#timer = undefined;
    for (const kind of this.#kinds.values()) {
      if (kind.left === 0) continue;
      const { left, example } = kind;
      kind.left = 0;
      this.#write({
        level: example.level,
        message: `${left} more lines like this one were dropped in ${REPORT_MS / 1000} s, ${PER_SECOND} a second are written: ${example.message}`,
        fields: { dropped: left },
      });
    }
  }
}

/** No kind has this name: a message's begins with its text. */
const OTHERS = "";

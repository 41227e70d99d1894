/**
 * What few connections have at any moment, kept out of them: a parked one waits for bytes and has none of this, which is
 * 72 bytes of it. All that have none share one object, so that reading a field needs no question.
 */
import type { ConnStreams } from "./conn_streams.ts";
import type { Link } from "./pending.ts";

/**
 * Ends a read. A promise's own `reject` would cost a parked connection 56 bytes more: a read fails by being resolved with
 * a promise that has failed, some microtasks later.
 */
export type EndRead = (result: number | Uint8Array | null | Promise<never>) => void;

/** A read behind the one that the connection knows itself: into `buffer`, or, if that is CHUNK, as a chunk of its own. */
export interface PendingRead extends Link<PendingRead> {
  readonly buffer: Uint8Array;
  readonly end: EndRead;
}

/** Waits for `bytes` to be with the kernel, `at` of them having been given to the poller; without bytes: for FIN. */
export interface PendingWrite extends Link<PendingWrite> {
  readonly bytes: Uint8Array | undefined;
  at: number;
  readonly resolve: (count: never) => void;
  readonly reject: (error: Error) => void;
}

/** In the place of a reader's buffer: the readable stream takes a chunk of just what came. */
export const CHUNK = new Uint8Array(0);

export class Rare {
  reads: PendingRead | undefined;
  writes: PendingWrite | undefined;
  /** What came beyond the reader's buffer, from `keptAt` on. */
  kept: Uint8Array<ArrayBuffer> | undefined;
  keptAt = 0;
  /** Why the connection broke, told to readers once they have everything that came before; and why sending broke. */
  errno = 0;
  sendErrno = 0;
  /** On the monotonic clock; 0 for none. */
  readDeadline = 0;
  writeDeadline = 0;
  /** By when a layer above must let it send, and who is told otherwise; and what broke it, where that is no errno. */
  lockDeadline = 0;
  late: (() => void) | undefined;
  failure: (() => Error) | undefined;
  streams: ConnStreams | undefined;

  /** Keeps `bytes[start, end)` behind what is kept. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.kept === undefined) {
      this.kept = bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    } else {
      const left = this.kept.length - this.keptAt;
      const joined = new Uint8Array(left + end - start);
      joined.set(this.kept.subarray(this.keptAt));
      joined.set(bytes.subarray(start, end), left);
      this.kept = joined;
    }
    this.keptAt = 0;
  }

  /** Moves what is kept into `p`, as much as fits; how much that was. */
  take(p: Uint8Array): number {
    if (this.kept === undefined) return 0;
    const n = Math.min(p.length, this.kept.length - this.keptAt);
    p.set(this.kept.subarray(this.keptAt, this.keptAt + n));
    this.keptAt += n;
    if (this.keptAt === this.kept.length) this.kept = undefined;
    return n;
  }

  /** All that is kept, as a chunk of its own. */
  takeAll(): Uint8Array<ArrayBuffer> | undefined {
    const { kept } = this;
    this.kept = undefined;
    return kept === undefined || this.keptAt === 0 ? kept : kept.slice(this.keptAt);
  }

  /** True when the connection can do without it again. */
  get idle(): boolean {
    return (
      this.reads === undefined &&
      this.writes === undefined &&
      this.kept === undefined &&
      this.streams === undefined &&
      (this.errno | this.sendErrno) === 0 &&
      this.readDeadline === 0 &&
      this.lockDeadline === 0 &&
      this.writeDeadline === 0
    );
  }
}

/** What connections have that have nothing of it. */
export const none: Readonly<Rare> = Object.freeze(new Rare());

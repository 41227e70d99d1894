/**
 * What comes on a connection, and how much of it a turn reads: its share (`runtime/turn-shares.ts`). What is beyond that
 * is kept, and as long as it is, or as the client reads nothing of what it has asked for, nothing more is received.
 */
import { monotonicNow } from "../runtime/clock.ts";
import { giveBuffer, takeBuffer } from "../runtime/spare-buffers.ts";
import { SHARE_MS, type Waiting } from "../runtime/turn-shares.ts";
import { Lifetime } from "./lifetime.ts";

/** The clock is looked at after so much work: that of a frame is 1. */
const LOOK_AFTER = 16;

export abstract class Input extends Lifetime implements Waiting {
  /** What has been done since the clock was looked at, and requests that have begun in this share. */
  protected work = 0;
  protected begun = 0;
  #shareEnds = 0;
  #paused = false;
  /** From `#restAt` up to `#restEnd` it is to be read yet. */
  #rest: Uint8Array<ArrayBuffer> | undefined;
  #restAt = 0;
  #restEnd = 0;
  /** Its slice of a turn will come. */
  #queued = false;

  /** New bytes, of which nothing was read. */
  protected abstract came(): void;
  /** Reads frames until it has had `enough`; returns the index behind the last one. */
  protected abstract feed(bytes: Uint8Array, start: number, end: number): number;
  /** What was read ends within a frame, or within a header block. */
  protected abstract get within(): boolean;

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#rest !== undefined) return this.#keep(bytes, start, end);
    this.came();
    const at = this.http.shares.spent ? start : this.#read(bytes, start, end);
    if (this.closed) return;
    if (at < end) this.#keep(bytes, at, end);
    else if (!this.output.full) return;
    if (this.#paused) return;
    this.#paused = true;
    this.poller.pause(this.handle);
  }

  /** Reads its share of the turn; returns the index behind. */
  #read(bytes: Uint8Array, start: number, end: number): number {
    this.#shareEnds = monotonicNow() + SHARE_MS;
    this.work = 0;
    this.begun = 0;
    this.readingBegan();
    const at = this.feed(bytes, start, end);
    this.readingEnded(this.within);
    return at;
  }

  get enough(): boolean {
    if (this.begun >= this.http.shares.requests) return true;
    if (this.work < LOOK_AFTER) return false;
    this.work = 0;
    return monotonicNow() >= this.#shareEnds;
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const before = this.#rest;
    const kept = this.#restEnd - this.#restAt;
    const rest = takeBuffer(kept + end - start);
    if (before !== undefined) {
      rest.set(before.subarray(this.#restAt, this.#restEnd));
      giveBuffer(before);
    }
    rest.set(bytes.subarray(start, end), kept);
    this.#rest = rest;
    this.#restAt = 0;
    this.#restEnd = kept + end - start;
    this.#goOnLater();
  }

  #forget(rest: Uint8Array<ArrayBuffer>): void {
    this.#rest = undefined;
    this.#restAt = this.#restEnd = 0;
    giveBuffer(rest);
  }

  #goOnLater(): void {
    if (this.#queued || this.output.full) return;
    this.#queued = true;
    this.http.shares.add(this);
  }

  goOn(): void {
    this.#queued = false;
    const rest = this.#rest;
    if (rest === undefined || this.output.full) return;
    if (this.closed) return this.#forget(rest);
    try {
      this.#restAt = this.#read(rest, this.#restAt, this.#restEnd);
    } catch (error) {
      // Ours: nobody else is above us here.
      return this.poller.onSinkError(this.handle, error);
    }
    if (this.closed || this.#restAt >= this.#restEnd) this.#forget(rest);
    if (!this.closed) this.#unpause();
  }

  #unpause(): void {
    if (!this.#paused || this.output.full) return;
    if (this.#rest !== undefined) return this.#goOnLater();
    this.#paused = false;
    this.poller.receive(this.handle);
  }

  sent(): void {
    this.socketHasRoom();
    this.output.unblock();
    if (this.closed) return;
    if (this.streams.size === 0) this.emptied();
    if (!this.closed) this.#unpause();
  }

  /** The client's end has been noticed during a pause. What it has said before comes first; then it is told as `ended`. */
  hungUp(): void {
    if (this.#rest === undefined) this.ended();
  }
  abstract ended(): void;

  /** What the client has said in time counts, also where we have not come to it. */
  protected get inputWaits(): boolean {
    return this.#queued;
  }
}

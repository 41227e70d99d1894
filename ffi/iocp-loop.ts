/**
 * A completion port's side of a turn: what has ended is taken from it, many at a time, and told of in order; and the
 * thread is woken when something ends while it does something else. What completions mean is for `iocp.ts`.
 *
 * A port is no descriptor that the host's loop could wait for. So while nothing goes on, a thread of the host's pool
 * waits at the port (koffi's asynchronous call), and its return is the event. Such a call keeps the process alive, and
 * has to end before the process can: so it is there only while somebody holds the poller, and an exit posts an entry that
 * ends it. The pool has four threads, and this takes one of them.
 */

import { OPEN } from "./handles.ts";
import { COUNT_AT, ENTRY_BYTES, type IocpCalls } from "./iocp-calls.ts";
import { Operations } from "./iocp-operations.ts";
import { SocketPoller } from "./socket-poller.ts";
import type { KernelMemory, System } from "./system.ts";
import type { Watch } from "./watch.ts";

/*
 * Bits of a handle's state beside those of `handles.ts`.
 *   *_ASKED    such an operation is under way
 *   CLOSING    the owner has let go of it
 *   LEAVING    and its last bytes are still on their way
 */
export const INPUT_ASKED = 1 << 12;
export const SEND_ASKED = 1 << 13;
export const CONNECT_ASKED = 1 << 14;
export const ACCEPT_ASKED = 1 << 15;
export const CLOSING = 1 << 16;
export const LEAVING = 1 << 17;
const UNDER_WAY = INPUT_ASKED | SEND_ASKED | CONNECT_ASKED | ACCEPT_ASKED;

/** Words of a completion: the operation, its status, its bytes. */
const WORDS = 3;
/** Completions that one poll tells of before everybody else gets a turn. */
const BATCH = 512;
/** How often a poll looks at the port again for what its sinks have asked for meanwhile, and has ended at once. */
const ROUNDS = 4;
const MANY = 16;
/** Nobody holds the poller, and something is open: a timer that holds nothing looks so often. */
const UNHELD_MS = 20;

export abstract class IocpLoop extends SocketPoller {
  readonly name = "iocp";
  /** There is none: `watch` waits at the port. */
  readonly descriptor = -1;
  readonly attendedReady = false;
  protected readonly calls: IocpCalls;
  protected readonly port: number;
  protected readonly operations: Operations;
  /** Handles that are closing, and among them those whose last bytes are on their way. */
  protected closing = 0;
  protected leaving = 0;
  /** Opened since the last poll, as handle and generation. */
  protected fresh: number[] = [];
  readonly #here: KernelMemory;
  readonly #words: Uint32Array;
  /** What the waiting thread writes to: nobody else's as long as it waits. */
  readonly #there: KernelMemory;
  readonly #thereWords: Uint32Array;
  /** Taken from the port, and how much of it has been told. */
  #taken: number[] = [];
  #told = 0;
  #ready: (() => void) | undefined;
  #held = false;
  #parked = false;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onExit = (): void => this.#exit();

  constructor(system: System, calls: IocpCalls) {
    super(system);
    this.calls = calls;
    const port = calls.createPort();
    if (port < 0) throw new Error(`no completion port: error ${-port}`);
    this.port = port;
    this.operations = new Operations(system);
    this.#here = system.allocate(COUNT_AT + 8);
    this.#words = new Uint32Array(this.#here.buffer);
    this.#there = system.allocate(COUNT_AT + 8);
    this.#thereWords = new Uint32Array(this.#there.buffer);
    process.on("exit", this.#onExit);
  }

  /** An operation has ended, with an NTSTATUS and so many bytes. */
  protected abstract completed(operation: number, status: number, bytes: number): void;
  /** Sees to those that have been opened in this poll. */
  protected abstract watchFresh(): void;

  override get openCount(): number {
    return this.table.count - this.closing + this.leaving;
  }
  override get pending(): boolean {
    return this.#waiting || (this.#held && !this.#parked && this.#ready !== undefined);
  }
  get #waiting(): boolean {
    return this.queue.length > 0 || this.#told < this.#taken.length || this.fresh.length > 0;
  }

  poll(timeoutMs: number): number {
    if (this.polling) return 0;
    this.polling = true;
    let count = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        this.#take(round > 0 || this.#waiting ? 0 : timeoutMs);
        const told = this.#tell();
        count += told + this.workOff();
        if (this.fresh.length > 0) this.watchFresh();
        if (told < MANY) break;
      }
    } finally {
      this.polling = false;
    }
    if (count === 0 && !this.#waiting) this.#rest();
    return count;
  }

  /** Nothing but the port can be waited for. */
  attend(): number {
    return 0;
  }

  wait(timeoutMs: number): boolean {
    if (this.polling) return false;
    if (!this.#waiting) this.#take(timeoutMs);
    return this.#waiting;
  }

  wake(): void {
    this.calls.post(this.port);
    if (!this.#held) this.#lookSoon(0);
  }

  #take(timeoutMs: number): void {
    this.#words[COUNT_AT >> 2] = 0;
    if (this.calls.take(this.port, this.#here.address, timeoutMs)) this.#keep(this.#words);
  }

  #keep(words: Uint32Array): void {
    if (this.#told === this.#taken.length) {
      this.#taken = [];
      this.#told = 0;
    }
    const end = (words[COUNT_AT >> 2] * ENTRY_BYTES) >> 2;
    for (let at = 0; at < end; at += ENTRY_BYTES >> 2) {
      const address = words[at + 2] + words[at + 3] * 0x100000000;
      // An entry of `wake` has no operation.
      if (address === 0) continue;
      const operation = this.operations.at(address);
      if (operation >= 0) this.#taken.push(operation, words[at + 4], words[at + 6]);
    }
  }

  #tell(): number {
    let count = 0;
    while (this.#told < this.#taken.length && count < BATCH) {
      const at = this.#told;
      this.#told += WORDS;
      count++;
      const operation = this.#taken[at];
      const handle = this.operations.handles[operation];
      try {
        this.completed(operation, this.#taken[at + 1], this.#taken[at + 2]);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    return count;
  }

  // ---- being woken

  override watch(ready: () => void): Watch {
    this.#ready = ready;
    return {
      ref: () => {
        this.#held = true;
        this.#rest();
      },
      unref: () => {
        this.#held = false;
        this.#unpark();
      },
      stop: () => {
        this.#ready = undefined;
      },
      start: () => {
        this.#ready = ready;
        this.#rest();
      },
      close: () => {
        this.#ready = undefined;
        this.#unpark();
      },
    };
  }

  /** Nothing is to be done now: somebody else looks at the port, and calls `ready`. */
  #rest(): void {
    if (this.#parked || this.#over || this.#ready === undefined) return;
    if (!this.#held) {
      if (this.openCount > 0) this.#lookSoon(UNHELD_MS);
      return;
    }
    this.#parked = true;
    this.calls.takeLater(this.port, this.#there.address, (taken) => {
      this.#parked = false;
      if (this.#over) return this.#closePort();
      if (taken) this.#keep(this.#thereWords);
      this.#ready?.();
    });
  }

  #unpark(): void {
    if (this.#parked) this.calls.post(this.port);
  }

  #lookSoon(ms: number): void {
    if (this.#timer !== undefined || this.#over) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#ready?.();
    }, ms);
    this.#timer.unref();
  }

  dispose(): void {
    if (this.#over) return;
    process.off("exit", this.#onExit);
    this.endLeaving();
    // What is under way ends before its memory is anybody else's.
    for (let looks = 0; this.closing > 0 && looks < 100; looks++) this.poll(10);
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#parked) this.#unpark();
    else this.#closePort();
  }

  /** The host frees its memory as it ends, and what is under way would be told there (seen under Wine: a page fault). */
  #exit(): void {
    this.#over = true;
    this.#unpark();
    const { state, fds } = this.table;
    for (let handle = 0; handle < state.length; handle++) {
      if (state[handle] & UNDER_WAY) this.system.close(fds[handle]);
    }
    this.#take(0);
  }

  /** Closes what still has bytes to deliver. */
  protected abstract endLeaving(): void;

  #closePort(): void {
    this.calls.closePort(this.port);
  }

  protected freeIfDone(handle: number): void {
    const state = this.table.state[handle];
    if ((state & CLOSING) === 0 || state & (UNDER_WAY | LEAVING | OPEN)) return;
    this.closing--;
    this.table.release(handle);
  }
}

/** One worker thread as the main thread sees it. */
import type { MessageChannel, Worker } from "node:worker_threads";
import { koffiPath } from "../../ffi/koffi.ts";
import { runtime } from "../runtime/turn.ts";
import type { Taker } from "./distribution.ts";
import { freeHoldings, Holdings } from "./holdings.ts";
import type { FamilySamples } from "./merge.ts";
import type { Answer, Ask, Told, ToMain, ToWorker, WorkerData } from "./messages.ts";
import { ANSWERED, ENDED, GO, type Owners, Shared, STOP } from "./shared.ts";

const SOCK_STREAM = 1;
const SHUT_RDWR = 2;
const WAKE = new Uint8Array(1);

/** What every worker of a program is given. */
export type Common = Pick<WorkerData, "file" | "program" | "flags" | "argv" | "bundle" | "activated">;

export interface ThreadSettings {
  readonly number: number;
  readonly speaks: boolean;
  readonly owners: Owners;
  readonly common: Common;
  /** Starts the thread; the port in its data goes with it. */
  readonly spawn: (data: WorkerData) => Worker;
}

export interface ThreadEvents {
  message(thread: Thread, message: ToMain): void;
  /** The thread is gone, and what it had of the system is free. */
  gone(thread: Thread, code: number): void;
}

/**
 * Its life: starting → up (it serves, or its program is loaded) → gone. `exit`, `failed` and `died` are its last words;
 * without any of them its program has ended by itself, or it was ended from outside (out of memory).
 */
export class Thread implements Taker {
  readonly number: number;
  readonly shared = new Shared();
  readonly given: number[] = [];
  head = 0;
  since = 0;
  readonly startedAt: number = performance.now();
  state: "starting" | "up" | "gone" = "starting";
  last: (ToMain & { type: "exit" | "failed" | "died" }) | undefined;
  /** It was told to end. */
  stopped = false;
  /** What it counted, when it was last asked. */
  counted: readonly FamilySamples[] = [];
  readonly worker: Worker;
  readonly #holdings = new Holdings();
  readonly #answers: MessageChannel;
  readonly #wake: number;
  readonly #asked = new Map<number, (told: Told | undefined) => void>();
  #ids = 0;

  constructor({ number, speaks, owners, common, spawn }: ThreadSettings, events: ThreadEvents) {
    this.number = number;
    const pair = new Int32Array(2);
    const { system } = runtime().poller;
    const failed = system.socketpair(SOCK_STREAM, pair);
    if (failed < 0) throw new Error(`no sockets to be had for a worker thread (errno ${-failed})`);
    [this.#wake] = pair;
    const { MessageChannel } = process.getBuiltinModule("node:worker_threads");
    this.#answers = new MessageChannel();
    this.#answers.port1.unref();
    const { memory: shared } = this.shared;
    owners.set(pair[1], number);
    const data = {
      ...common,
      koffi: koffiPath,
      number,
      speaks,
      shared,
      owners: owners.memory,
      holdings: this.#holdings.memory,
      wake: pair[1],
      answers: this.#answers.port2,
    };
    this.worker = spawn(data);
    this.worker.on("message", (message: ToMain) => events.message(this, message));
    // Told by `exit` as well; here it only must not be thrown.
    this.worker.on("error", (error: Error & { code?: string }) => {
      const reason = error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "it ran out of memory" : error.message;
      this.last ??= { type: "died", reason };
    });
    this.worker.on("exit", (code) => {
      this.state = "gone";
      this.#answers.port1.close();
      system.close(this.#wake);
      for (const fd of owners.release(number)) {
        // First, for a socket that the kernel still works on for the thread.
        system.shutdown(fd, SHUT_RDWR);
        system.close(fd);
      }
      freeHoldings(this.#holdings);
      for (const told of this.#asked.values()) told(undefined);
      this.#asked.clear();
      events.gone(this, code);
    });
  }

  post(message: ToWorker): void {
    if (this.state !== "gone") this.worker.postMessage(message);
  }

  wake(): void {
    runtime().poller.system.send(this.#wake, WAKE);
  }

  answer(answer: Answer): void {
    this.#answers.port1.postMessage(answer);
    this.shared.set(ANSWERED, 1);
    Atomics.notify(this.shared.control, ANSWERED);
  }

  /** Its answer; undefined when there is none in time. */
  ask(what: Ask, withinMs: number, signal?: AbortSignal): Promise<Told | undefined> {
    if (this.state !== "up") return Promise.resolve(undefined);
    const id = ++this.#ids;
    const { promise, resolve } = Promise.withResolvers<Told | undefined>();
    const timer = setTimeout(resolve, withinMs, undefined);
    timer.unref();
    const stop = (): void => {
      this.post({ type: "forget", id });
      resolve(undefined);
    };
    signal?.addEventListener("abort", stop, { once: true });
    this.#asked.set(id, resolve);
    this.post({ type: "ask", id, what });
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      this.#asked.delete(id);
    });
  }

  told(id: number, what: Told): void {
    this.#asked.get(id)?.(what);
  }

  /** Lets it load the program. */
  go(): void {
    this.shared.set(GO, 1);
    Atomics.notify(this.shared.control, GO);
  }

  /** Tells it to end now; it is not waited for. */
  stop(): void {
    this.stopped = true;
    this.shared.set(STOP, 1);
    this.go();
    Atomics.notify(this.shared.control, ANSWERED);
    this.wake();
  }

  /** Whether nothing of ours is left in it. */
  get ended(): boolean {
    return this.state === "gone" || this.shared.get(ENDED) === 1;
  }

  /** Waits, in the process's last moments, until that is so. */
  awaitEnd(until: number): boolean {
    while (!this.ended) {
      const left = until - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.shared.control, ENDED, 0, left);
    }
    return true;
  }
}

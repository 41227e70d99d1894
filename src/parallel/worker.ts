/**
 * A worker thread's own side: how it is woken, how it asks the main thread for something, and how it ends.
 *
 * It never ends by `terminate()`: koffi's watch on the poller must be closed by the thread itself, or Node aborts the
 * process when the watch fires into a thread whose JavaScript is gone. So the main thread sets STOP, wakes it, and waits
 * for ENDED.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Sink } from "../../ffi/poller.ts";
import { runtime } from "../runtime/turn.ts";
import { noteSockets, sayEnded } from "./ending-thread.ts";
import { Feeds, type Line } from "./feeds.ts";
import { Holdings, noteHoldings } from "./holdings.ts";
import type { Answer, Call, ToMain, ToWorker, WorkerData } from "./messages.ts";
import { ANSWERED, ENDED, GO, Owners, Shared, SIGNALED, SOCKETS, STOP, TELL } from "./shared.ts";

/** How often a call that is not answered looks whether the process ends. */
const LOOK_MS = 100;
/** More than a process may have descriptors. */
const MOST_HANDLES = 1 << 22;

export class WorkerSide implements Line {
  readonly data: WorkerData;
  readonly shared: Shared;
  readonly feeds: Feeds;
  readonly #port: MessagePort;
  readonly #exit = process.exit.bind(process);
  /** What to do with messages; the last word is the program's loader's. */
  told: (message: ToWorker) => void = () => {};

  constructor() {
    if (parentPort === null) throw new Error("this is for a worker thread of slipway --parallel");
    this.#port = parentPort;
    this.data = workerData as WorkerData;
    this.shared = new Shared(this.data.shared);
    this.feeds = new Feeds(
      this,
      ownRuntime(
        this.data,
        () => this.#woken(),
        () => this.#closed(),
      ),
    );
    this.#port.on("message", (message: ToWorker) => this.told(message));
    // The program, not we, keeps the thread alive.
    this.#port.unref();
    sayEnded(this.shared.control, ENDED);
    this.#passExit();
  }

  post(message: ToMain): void {
    this.#port.postMessage(message);
  }

  call(call: Call): Answer {
    this.shared.set(ANSWERED, 0);
    this.post({ type: "call", call });
    for (;;) {
      Atomics.wait(this.shared.control, ANSWERED, 0, LOOK_MS);
      if (this.shared.get(STOP) === 1) this.leave(0);
      const received = receiveMessageOnPort(this.data.answers);
      if (received !== undefined) return received.message as Answer;
    }
  }

  /** Waits until the program may be loaded. */
  awaitGo(): void {
    while (this.shared.get(GO) === 0) Atomics.wait(this.shared.control, GO, 0);
    if (this.shared.get(STOP) === 1) this.leave(0);
  }

  /** Ends this thread after an error: what it has open is closed, what its poller owns is freed. */
  die(): never {
    const rt = runtime();
    try {
      // As many as there are; numbers between them are free.
      for (let handle = 0; rt.poller.openCount > 0 && handle < MOST_HANDLES; handle++) rt.close(handle);
      rt.dispose();
    } catch {
      // What is left, the main thread closes and frees.
    }
    return this.leave(1);
  }

  /** Ends this thread and nothing else. */
  leave(code: number): never {
    return this.#exit(code);
  }

  #woken(): void {
    this.shared.set(SIGNALED, 0);
    if (this.shared.get(STOP) === 1) this.leave(0);
    this.feeds.look();
    this.shared.set(SOCKETS, runtime().poller.openCount);
  }

  /**
   * A socket is gone. Who waits for descriptors may have no other way to learn of it: nobody wakes a worker that is given
   * nothing, and where all clients had left at the limit nothing was accepted ever after.
   */
  #closed(): void {
    this.shared.set(SOCKETS, runtime().poller.openCount);
    if (this.shared.get(TELL) !== 0) this.post({ type: "ended" });
  }

  /** The end of the program is the end of the process: process.exit, Deno.exit. */
  #passExit(): void {
    process.exit = (code) => {
      if (code !== undefined) process.exitCode = code;
      this.post({ type: "exit", code: Number(process.exitCode ?? 0) });
      return this.leave(Number(process.exitCode ?? 0));
    };
  }
}

/**
 * This thread's runtime, which notes whose its descriptors are, and is woken by the main thread. `closed` is told when
 * there are fewer sockets.
 */
function ownRuntime(
  { number, owners, holdings, wake }: WorkerData,
  woken: () => void,
  closed: () => void,
): ReturnType<typeof runtime> {
  const owned = new Owners(owners);
  noteHoldings(new Holdings(holdings), (fd, own) => owned.set(fd, own ? number : 0));
  const rt = runtime();
  noteSockets(rt, owned, number, closed);
  // Those that had bytes to deliver yet.
  rt.left.add(closed);
  const handle = rt.open(wake, wakeSink(woken));
  if (handle < 0) throw new Error(`the worker's wake-up socket cannot be watched (errno ${-handle})`);
  rt.release();
  rt.poller.receive(handle);
  return rt;
}

function wakeSink(woken: () => void): Sink {
  const nothing = (): void => {};
  return {
    received: woken,
    accepted: nothing,
    connected: nothing,
    datagram: nothing,
    sent: nothing,
    ended: nothing,
    hungUp: nothing,
    failed: nothing,
    expired: nothing,
  };
}

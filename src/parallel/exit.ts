/**
 * The end of a process with worker threads. Each must close its watch on its poller itself: while Node takes a thread
 * down, a watch that fires finds no JavaScript to call, and koffi aborts the process. So all are told, woken and waited
 * for. One that does not come to it, because a handler computes without end, is not waited for, and nothing is taken
 * down then: `_exit(2)` ends the process where it stands.
 */
import { koffi } from "../../ffi/koffi.ts";
import type { Thread } from "./thread.ts";

/** Threads that are not held up need a millisecond or two. */
const PATIENCE_MS = 1000;

export function endThreadsAtExit(threads: () => Iterable<Thread>): void {
  const listener = (code: number): void => {
    const all = [...threads()];
    for (const thread of all) if (!thread.ended) thread.stop();
    const until = performance.now() + PATIENCE_MS;
    let ended = true;
    for (const thread of all) ended = thread.awaitEnd(until) && ended;
    if (ended) return;
    // Those behind us have their say all the same.
    const listeners = process.rawListeners("exit");
    for (const other of listeners.slice(listeners.indexOf(listener) + 1)) Reflect.apply(other, process, [code]);
    koffi.load(null).func("_exit", "void", ["int"])(Number(process.exitCode ?? code));
  };
  process.on("exit", listener);
}

/** What a thread that has a poller of its own does so that nothing of it is left when it is gone: src/parallel/worker.ts. */
import type { Runtime } from "../runtime/turn.ts";
import type { Owners } from "./shared.ts";

/** Notes sockets as the thread's, under its number. `closed` is told when there are fewer. */
export function noteSockets(rt: Runtime, owned: Owners, number: number, closed: () => void = () => {}): void {
  const open = rt.open.bind(rt);
  const close = rt.close.bind(rt);
  rt.open = (fd, sink) => {
    const handle = open(fd, sink);
    if (handle >= 0) owned.set(fd, number);
    return handle;
  };
  rt.close = (handle) => {
    // Before, as in `noteHoldings`: a poller may let the kernel close it.
    if (rt.poller.sink(handle) !== undefined) owned.set(rt.poller.fd(handle), 0);
    close(handle);
    closed();
  };
}

/** Once every listener for "exit" has run, among them the one that closes the watch, nothing of ours is left. */
export function sayEnded(control: Int32Array, slot: number): void {
  const emit = process.emit.bind(process) as (...args: unknown[]) => boolean;
  process.emit = ((...args: unknown[]) => {
    const heard = emit(...args);
    if (args[0] === "exit") {
      Atomics.store(control, slot, 1);
      Atomics.notify(control, slot);
    }
    return heard;
  }) as typeof process.emit;
}

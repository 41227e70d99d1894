/**
 * The host loop's one watch on us: libuv (Node's, or Deno's stand-in) waits for the poller's descriptor together with
 * its own timers and files, so an idle process is parked in the kernel once, for everything.
 *
 * What koffi's poll handles ask for, learned by experiment: what a callback throws is swallowed, so it must not
 * throw; `stop()` after `close()` crashes, so we never do; a handle that nobody references is collected and falls
 * silent, so it lives in a closure; Deno delivers once per `start()`. Promise jobs are not run after the callback
 * (koffi opens no callback scope), so real work belongs into an immediate.
 */
import { koffi } from "./koffi.ts";

export interface Watch {
  /** Whether the watch keeps the process alive. */
  ref(): void;
  unref(): void;
  /** Looks away until `start`. It begins started. */
  stop(): void;
  start(): void;
  close(): void;
}

/** Calls `ready`, which must not throw, whenever `fd` is readable; level-triggered. Starts unreferenced. */
export function watch(fd: number, ready: () => void): Watch {
  const once = "Deno" in globalThis && process.versions["deno"] !== undefined;
  let closed = false;
  const onReady = (): void => {
    if (closed) return;
    if (once) {
      handle.stop();
      handle.start(onReady);
    }
    ready();
  };
  const handle = koffi.node.poll(fd, onReady);
  handle.unref();
  const close = (): void => {
    if (closed) return;
    closed = true;
    process.off("exit", close);
    handle.close();
  };
  // Node runs its loop once more while it tears itself down. A callback then finds no JavaScript to call, and koffi
  // aborts the process: a server that calls process.exit under traffic would end with SIGABRT.
  process.on("exit", close);
  return {
    ref: () => !closed && handle.ref(),
    unref: () => !closed && handle.unref(),
    stop: () => !closed && handle.stop(),
    start: () => !closed && handle.start(onReady),
    close,
  };
}

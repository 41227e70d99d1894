/**
 * Large chunks die young, and V8 does not see it: it counts their bytes against a limit on memory outside of its heap,
 * and marks the whole heap each 16 to 64 MiB of them, 20 ms each: more than half the CPU of an upload. A collection of the
 * young generation, 0.5 ms, frees them as well. So who makes chunks that others drop soon says so here.
 */
const INTERVAL = 8 * 1024 * 1024;

let made = 0;
let queued = false;
let collect: (() => void) | undefined;

/** So many bytes outside of the heap were made, for somebody who will soon be done with them. */
export function madeGarbage(bytes: number): void {
  made += bytes;
  if (made < INTERVAL || queued) return;
  queued = true;
  made = 0;
  // Between two turns little is alive.
  setImmediate(collectYoung);
}

function collectYoung(): void {
  queued = false;
  (collect ??= youngCollector())();
}

/**
 * V8 gives its collector to contexts that are made while a flag is set: this one, and no other. The flag is the whole
 * process's, and stays where the program was started with it: its own contexts and threads would find no `gc` any more.
 */
function youngCollector(): () => void {
  try {
    const v8 = process.getBuiltinModule("node:v8");
    const { runInNewContext } = process.getBuiltinModule("node:vm");
    let gc: unknown = runInNewContext("globalThis.gc");
    if (gc === undefined) {
      v8.setFlagsFromString("--expose-gc");
      gc = runInNewContext("gc");
      v8.setFlagsFromString("--no-expose-gc");
    }
    const collector = gc;
    if (typeof collector === "function") return () => collector({ type: "minor" });
  } catch {
    // Not in this host: it collects when it wants to.
  }
  return () => {};
}

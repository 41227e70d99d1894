/**
 * The host's own loop seen from outside: libuv's uv_backend_fd(3) and uv_backend_timeout(3), made for programs that wait
 * for it with their own. Node's executable exports them.
 */
import { constantsHere } from "./constants.ts";
import { koffi } from "./koffi.ts";

export interface HostLoop {
  /** Readable while the loop has something to do that is no timer's. */
  readonly descriptor: number;
  /** How long it may be left alone, in milliseconds: 0 when it has something to do now, -1 for ever. */
  timeout(): number;
  /** Its clock, which is what its timers begin by, stands still while it does not run: this sets it. */
  updateTime(): void;
}

/** That of this thread; undefined where the host is none that we can wait for. */
export function hostLoop(): HostLoop | undefined {
  if (process.versions["uv"] === undefined || process.versions["deno"] !== undefined) return undefined;
  if (process.versions["bun"] !== undefined) return undefined;
  // A kqueue that was watched from the host's may not watch that one in turn, even when the first has ended: XNU keeps the
  // depth of each for ever (kern_event.c, kqueue_kqfilter), and on some systems nothing would be told at all (libuv's own
  // manual, uv_backend_fd).
  if (constantsHere().system !== "linux") return undefined;
  try {
    const c = koffi.load(null);
    // v8::Isolate::GetCurrent() and node::GetCurrentEventLoop(v8::Isolate*), by their names in the executable.
    const isolate = c.func("_ZN2v87Isolate10GetCurrentEv", "uintptr_t", []);
    const current = c.func("_ZN4node19GetCurrentEventLoopEPN2v87IsolateE", "uintptr_t", ["uintptr_t"]);
    const backendFd = c.func("uv_backend_fd", "int", ["uintptr_t"]);
    const backendTimeout = c.func("uv_backend_timeout", "int", ["uintptr_t"]);
    const updateTime = c.func("uv_update_time", "void", ["uintptr_t"]);
    const loop = Number(current(isolate()));
    const descriptor: number = loop === 0 ? -1 : backendFd(loop);
    if (descriptor < 0) return undefined;
    return { descriptor, timeout: () => backendTimeout(loop), updateTime: () => updateTime(loop) };
  } catch {
    return undefined;
  }
}

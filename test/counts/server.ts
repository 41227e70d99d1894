/**
 * The server that is counted: every call through koffi, by the name of the C function; turns and events; bytes of V8's
 * heap. It runs in a process of its own, so that nothing of the client's is among them.
 *
 *     node test/counts/server.ts plaintext      talks through the IPC channel that fork(2) gives it
 */
import { getHeapStatistics } from "node:v8";
import { koffi } from "../../ffi/koffi.ts";

/** What has been counted since the process began. */
export interface Counted {
  readonly calls: Readonly<Record<string, number>>;
  readonly turns: number;
  readonly events: number;
  /** Bytes of V8's heap in use: to the byte, since new objects stand in a row until a collection. */
  readonly used: number;
}

/** What the server tells: its port and its poller, or why the poller that was asked for does not work. */
export type Told = { readonly port: number; readonly poller: string } | { readonly refused: string };

type Call = (...args: unknown[]) => unknown;

/** include/uapi/asm-generic/unistd.h, the same on every architecture. */
const SYSCALLS: Readonly<Record<number, string>> = {
  425: "io_uring_setup",
  426: "io_uring_enter",
  427: "io_uring_register",
};

/** Functions of libuv and V8, no system calls: some 40 ns each. */
const OF_THE_HOST = /^(uv_|_ZN)/;

const calls: Record<string, number> = {};
countCalls();

if (process.send !== undefined) {
  // Now that the calls are counted: whatever binds them does it through what is counted.
  const { runtime } = await import("../../src/runtime/turn.ts");
  const { scenarios } = await import("./scenarios.ts");
  const { turnStats } = await import("../../src/runtime/stall-clock.ts");
  const tell = (told: Told | Counted): void => void process.send?.(told);
  process.on("disconnect", () => process.exit());
  process.on("message", (collect: boolean) => {
    // What had arrived before the question has its turns first, and so has what comes of it.
    const answer = (rounds: number): void => {
      if (rounds > 0) return void setImmediate(answer, rounds - 1);
      if (collect) for (let i = 0; i < 3; i++) globalThis.gc?.();
      const { turns, events } = turnStats;
      tell({ calls: { ...calls }, turns, events, used: getHeapStatistics().used_heap_size });
    };
    answer(8);
  });
  try {
    const poller = runtime().poller.name;
    tell({ port: scenarios[process.argv[2]].serve(), poller });
  } catch (error) {
    tell({ refused: error instanceof Error ? error.message : String(error) });
  }
}

/** From here on each function that koffi binds counts its calls. */
function countCalls(): void {
  const load = koffi.load.bind(koffi);
  koffi.load = (path: string | null) => {
    const library = load(path);
    const func = library.func.bind(library) as (...signature: unknown[]) => Call;
    const counted = (...signature: unknown[]): Call => {
      const call = func(...signature);
      const name = /(\w+)(?:\(|$)/.exec(String(signature[0]))?.[1] ?? "?";
      // One of these may be called with any number of arguments: koffi's own function takes them all.
      return (...args) => {
        const key = name === "syscall" ? (SYSCALLS[Number(args[0])] ?? `syscall ${args[0]}`) : name;
        const result = call(...args);
        // The looks that find nothing are as many as the rounds that the questions to this server take.
        if (!OF_THE_HOST.test(key) && (key !== "epoll_wait" || result !== 0)) calls[key] = (calls[key] ?? 0) + 1;
        return result;
      };
    };
    return { ...library, func: counted } as unknown as typeof library;
  };
}

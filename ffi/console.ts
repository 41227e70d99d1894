/** A console of Windows: what termios(3) is elsewhere. Only the three standard streams can be one. */
import { koffi } from "./koffi.ts";

const PROCESSED_INPUT = 1; // Ctrl-C is a signal, and no byte
const LINE_INPUT = 2;
const ECHO_INPUT = 4;
const VIRTUAL_TERMINAL_INPUT = 0x200; // arrows and the like come as the sequences of other systems' terminals
/** sizeof(CONSOLE_SCREEN_BUFFER_INFO), and where its SMALL_RECT of the window begins: left, top, right, bottom. */
const BUFFER_INFO = 22;
const WINDOW_AT = 10;

type Handle = number;

interface Calls {
  GetStdHandle(which: number): Handle;
  GetConsoleMode(handle: Handle, mode: Uint32Array): number;
  SetConsoleMode(handle: Handle, mode: number): number;
  GetConsoleScreenBufferInfo(handle: Handle, info: Uint8Array): number;
}

let bound: Calls | undefined;
/** What each was before it was made raw. */
const before = new Map<number, number>();

function calls(): Calls {
  if (bound !== undefined) return bound;
  const kernel = koffi.load("kernel32.dll");
  return (bound = {
    GetStdHandle: kernel.func("GetStdHandle", "intptr_t", ["uint32_t"]),
    GetConsoleMode: kernel.func("GetConsoleMode", "int", ["intptr_t", "void *"]),
    SetConsoleMode: kernel.func("SetConsoleMode", "int", ["intptr_t", "uint32_t"]),
    GetConsoleScreenBufferInfo: kernel.func("GetConsoleScreenBufferInfo", "int", ["intptr_t", "void *"]),
  });
}

/** STD_INPUT_HANDLE is -10, STD_OUTPUT_HANDLE -11, STD_ERROR_HANDLE -12. */
function handleOf(fd: number): Handle {
  return fd >= 0 && fd <= 2 ? calls().GetStdHandle((-10 - fd) >>> 0) : -1;
}

/** As `setRaw` of `terminal.ts`. */
export function setConsoleRaw(fd: number, raw: boolean, cbreak: boolean): void {
  const { GetConsoleMode, SetConsoleMode } = calls();
  const handle = handleOf(fd);
  const mode = new Uint32Array(1);
  if (GetConsoleMode(handle, mode) === 0) {
    throw Object.assign(new Error("ENOTTY: not a console"), { code: "ENOTTY" });
  }
  if (!raw) {
    const kept = before.get(fd);
    if (kept !== undefined) SetConsoleMode(handle, kept);
    before.delete(fd);
    return;
  }
  if (!before.has(fd)) {
    if (before.size === 0) process.once("exit", restore);
    before.set(fd, mode[0]);
  }
  const cooked = LINE_INPUT | ECHO_INPUT | PROCESSED_INPUT;
  SetConsoleMode(handle, (mode[0] & ~cooked) | VIRTUAL_TERMINAL_INPUT | (cbreak ? PROCESSED_INPUT : 0));
}

function restore(): void {
  for (const [fd, mode] of before) calls().SetConsoleMode(handleOf(fd), mode);
}

/** As `windowSize` of `terminal.ts`. */
export function consoleSize(fd: number): { columns: number; rows: number } | undefined {
  const info = new Uint8Array(BUFFER_INFO);
  // A size is the screen's: the input has none of its own.
  if (calls().GetConsoleScreenBufferInfo(handleOf(fd === 0 ? 1 : fd), info) === 0) return undefined;
  const window = new DataView(info.buffer, WINDOW_AT);
  const [left, top, right, bottom] = [0, 2, 4, 6].map((at) => window.getInt16(at, true));
  return { columns: right - left + 1, rows: bottom - top + 1 };
}

/** A terminal's raw mode: termios(3), for any descriptor; Node has it for streams of its own. Bound when first asked for. */
import { consoleSize, setConsoleRaw } from "./console.ts";
import { koffi } from "./koffi.ts";

/** struct termios: where the words of flags are, how long each is, and the bits that we turn. */
interface Layout {
  readonly word: 4 | 8;
  readonly controls: number;
  readonly input: number;
  readonly CS8: number;
  readonly ISIG: number;
  /** ECHO | ICANON | IEXTEN */
  readonly local: number;
  readonly VMIN: number;
  readonly VTIME: number;
}

const layouts: Partial<Record<NodeJS.Platform, Layout>> = {
  // asm-generic/termbits.h; 17 is behind four words and c_line. input: BRKINT | ICRNL | INPCK | ISTRIP | IXON
  linux: { word: 4, controls: 17, input: 0x532, CS8: 0x30, ISIG: 1, local: 0x800a, VMIN: 6, VTIME: 5 },
  // sys/termios.h of Darwin
  darwin: { word: 8, controls: 32, input: 0x332, CS8: 0x300, ISIG: 0x80, local: 0x508, VMIN: 16, VTIME: 17 },
  // sys/_termios.h and sys/termios.h: the same bits in words of half the size
  freebsd: { word: 4, controls: 16, input: 0x332, CS8: 0x300, ISIG: 0x80, local: 0x508, VMIN: 16, VTIME: 17 },
  openbsd: { word: 4, controls: 16, input: 0x332, CS8: 0x300, ISIG: 0x80, local: 0x508, VMIN: 16, VTIME: 17 },
};

const TCSADRAIN = 1;
/** More than any system's struct. */
const ROOM = 128;

/** What each terminal was set to before it was made raw. */
const before = new Map<number, Uint8Array>();

/** Makes a terminal raw, or what it was before. `cbreak`: Ctrl-C and the like are signals as ever. */
export function setRaw(fd: number, raw: boolean, cbreak: boolean): void {
  if (process.platform === "win32") return setConsoleRaw(fd, raw, cbreak);
  const layout = layouts[process.platform];
  if (layout === undefined) throw new Error(`setRaw is not supported by Slipway on ${process.platform}`);
  const library = koffi.load(null);
  const get = library.func("int tcgetattr(int fd, _Out_ uint8_t *settings)");
  const set = library.func("int tcsetattr(int fd, int when, const uint8_t *settings)");
  const checked = (result: number) => {
    if (result < 0) throw Object.assign(new Error("ENOTTY: not a terminal"), { code: "ENOTTY" });
  };
  const settings = new Uint8Array(ROOM);
  checked(get(fd, settings));
  if (!raw) {
    const kept = before.get(fd);
    if (kept !== undefined) checked(set(fd, TCSADRAIN, kept));
    before.delete(fd);
    return;
  }
  if (!before.has(fd)) {
    if (before.size === 0) process.once("exit", () => restore(set));
    before.set(fd, settings.slice());
  }
  const { word, controls, input, CS8, ISIG, local, VMIN, VTIME } = layout;
  // All bits that we turn are in the low half of their word; both systems are little-endian.
  const flags = new DataView(settings.buffer);
  const turn = (index: number, off: number, on = 0) =>
    flags.setUint32(index * word, (flags.getUint32(index * word, true) & ~off) | on, true);
  turn(0, input);
  turn(2, 0, CS8);
  turn(3, local | (cbreak ? 0 : ISIG), cbreak ? ISIG : 0);
  settings[controls + VMIN] = 1;
  settings[controls + VTIME] = 0;
  checked(set(fd, TCSADRAIN, settings));
}

function restore(set: (fd: number, when: number, settings: Uint8Array) => number): void {
  for (const [fd, settings] of before) set(fd, TCSADRAIN, settings);
}

/** ioctl_tty(2), TIOCGWINSZ: undefined for what is no terminal, or has no size. */
export function windowSize(fd: number): { columns: number; rows: number } | undefined {
  if (process.platform === "win32") return consoleSize(fd);
  // asm-generic/ioctls.h; sys/ttycom.h, _IOR('t', 104, struct winsize)
  const request = process.platform === "linux" ? 0x5413 : 0x40087468;
  const ioctl = koffi.load(null).func("int ioctl(int fd, unsigned long request, ...)");
  const size = new Uint16Array(4);
  if (ioctl(fd, request, "void *", size) < 0) return undefined;
  const [rows, columns] = size;
  return columns === 0 ? undefined : { columns, rows };
}

/**
 * io_uring under pressure. Its faults are in completions, not in what a call returns: so a request that is to fail is
 * turned, on its way to the kernel, into one that does nothing and ends with the errno (IORING_OP_NOP with
 * IORING_NOP_INJECT_RESULT, Linux 6.10). No byte has moved then, just as when the kernel says so. Others get less than
 * they asked for; and enter(2) itself is interrupted, refused, or takes only some of what is pending.
 */
import type { ErrnoName } from "../../ffi/constants.ts";
import { system } from "../../ffi/libc.ts";
import type { KernelMemory } from "../../ffi/system.ts";
import { type UringCalls, uringCalls } from "../../ffi/uring-calls.ts";
import { KIND_BITS, WAKE } from "../../ffi/uring-loop.ts";
import { matrix } from "./matrix.ts";

/** Requests by what they are, and io_uring_enter(2). */
export type RingCall = "ringReceive" | "ringSend" | "ringReady" | "ringHangup" | "enter";
/**
 * "once": a multishot receive that ends with its first bytes. "half": of a send, or of what enter takes. "spurious": a
 * poll that ends though nothing has happened.
 */
export type RingKind = ErrnoName | "once" | "half" | "spurious";
export const RING_CALLS: readonly RingCall[] = ["ringReceive", "ringSend", "ringReady", "ringHangup", "enter"];

const BROKEN: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "ETIMEDOUT"]);

// linux/io_uring.h
const OP_NOP = 0;
const NOP_INJECT_RESULT = 1;
const OP_POLL_ADD = 6;
const OP_SEND = 26;
const OP_RECV = 27;
const IO_LINK = 1 << 2;
const BUFFER_SELECT = 1 << 5;
const CQE_SKIP_SUCCESS = 1 << 6;
const SQES = 0x10000000;
const GETEVENTS = 1;
// poll.h
const POLLRDHUP = 0x2000;
const POLLIN_OUT = 5;

export interface FaultyRing {
  readonly calls: UringCalls;
  /** From here on: what sets a poller up, and tries it, is spared. */
  arm(): void;
}

/** `draw` is asked once for each request, and for each enter: a fault, or undefined for none. */
export function faultyRing(draw: (call: RingCall) => RingKind | undefined): FaultyRing {
  const real = uringCalls();
  const sys = system();
  const { errno } = sys.constants;
  const rings = new Map<number, Uint32Array>();
  const queues = new Map<number, { words: Uint32Array; halves: Uint16Array; bytes: Uint8Array }>();
  const offsets = new Map<number, { head: number; mask: number }>();
  /** By ring: requests that were looked at already, since some are given to the kernel twice. */
  const seen = new Map<number, number>();
  let armed = false;

  const spoil = (fd: number, request: number): void => {
    const queue = queues.get(fd);
    if (queue === undefined) return;
    const { words, halves, bytes } = queue;
    const at = request * 16;
    const op = bytes[at * 4];
    const call = what(op, words[at + 7], words[at + 9]);
    if (call === undefined) return;
    const kind = draw(call);
    if (kind === undefined) return;
    if (kind === "once") halves[at * 2 + 1] = 0;
    else if (kind === "half") {
      // One that another waits for would be taken for whole.
      if (bytes[at * 4 + 1] & IO_LINK || words[at + 6] < 2) return;
      words[at + 6] >>= 1;
      bytes[at * 4 + 1] &= ~CQE_SKIP_SUCCESS;
    } else {
      // Whatever is sent behind one that broke fails as well.
      if (call === "ringSend" && BROKEN.has(kind)) sys.shutdown(words[at + 1], sys.constants.SHUT_RDWR);
      bytes[at * 4] = OP_NOP;
      bytes[at * 4 + 1] &= ~BUFFER_SELECT;
      halves[at * 2 + 1] = 0;
      halves[at * 2 + 20] = 0;
      words[at + 4] = words[at + 5] = 0;
      words[at + 7] = NOP_INJECT_RESULT;
      words[at + 6] = kind === "spurious" ? POLLIN_OUT : -errno[kind];
    }
  };

  return {
    arm() {
      armed = true;
    },
    calls: {
      ...real,
      setup(entries, params) {
        const fd = real.setup(entries, params);
        if (fd >= 0) offsets.set(fd, { head: params[10] >> 2, mask: params[0] - 1 });
        seen.delete(fd);
        return fd;
      },
      map(bytes, fd, offset) {
        const memory: KernelMemory | number = real.map(bytes, fd, offset);
        if (typeof memory === "number" || fd < 0) return memory;
        const { buffer } = memory;
        if (offset !== SQES) rings.set(fd, new Uint32Array(buffer));
        else {
          queues.set(fd, {
            words: new Uint32Array(buffer),
            halves: new Uint16Array(buffer),
            bytes: new Uint8Array(buffer),
          });
        }
        return memory;
      },
      enter(fd, submit, wait, flags, argument, size) {
        const ring = rings.get(fd);
        const offset = offsets.get(fd);
        if (!armed || ring === undefined || offset === undefined) {
          return real.enter(fd, submit, wait, flags, argument, size);
        }
        const kind = draw("enter");
        // What is refused is not looked at either: it comes again.
        if (kind === "EINTR" && submit === 0) return -errno.EINTR;
        if (kind === "EAGAIN" && submit > 0) return -errno.EAGAIN;
        const taken = kind === "half" ? submit - (submit >> 1) : submit;
        const head = ring[offset.head];
        let next = Math.max(seen.get(fd) ?? head, head);
        for (; next < head + taken; next++) spoil(fd, next & offset.mask);
        seen.set(fd, next);
        // Interrupted, or cut short, it does not wait, and does not look for completions either.
        const cut = taken < submit || kind === "EINTR";
        return real.enter(fd, taken, cut ? 0 : wait, cut ? flags & ~(GETEVENTS | 8) : flags, cut ? 0 : argument, cut ? 0 : size); // biome-ignore format: one line
      },
    },
  };

  function what(op: number, pollEvents: number, dataHigh: number): RingCall | undefined {
    if (op === OP_RECV) return "ringReceive";
    if (op === OP_SEND) return "ringSend";
    // The poller's own eventfd is spared.
    if (op !== OP_POLL_ADD || (dataHigh & ((1 << KIND_BITS) - 1)) === WAKE) return undefined;
    return pollEvents === POLLRDHUP ? "ringHangup" : "ringReady";
  }
}

/** At random: `rate` of the requests meet a fault that passes, `breaking` one that ends a connection. */
export function randomRing(random: () => number, rate: number, breaking: number) {
  /** How often each was injected, as "ringSend EPIPE". */
  const had = new Map<string, number>();
  let active = true;
  const ring = faultyRing((call: RingCall) => {
    const { passes = [], breaks = [] } = matrix[call];
    const kinds = random() < breaking ? breaks : random() < rate ? passes : [];
    if (kinds.length === 0 || !active) return undefined;
    const kind = kinds[Math.floor(random() * kinds.length)] as RingKind;
    // Those wait 100 ms for memory to come back: rare.
    if ((kind === "ENOMEM" || (kind === "ENOBUFS" && call === "ringSend")) && random() > 0.1) return undefined;
    had.set(`${call} ${kind}`, (had.get(`${call} ${kind}`) ?? 0) + 1);
    return kind;
  });
  const stop = (): void => {
    active = false;
  };
  return { ring, had, stop };
}

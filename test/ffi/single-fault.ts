/**
 * The syscall seam with one fault in it: the nth call of one method fails, once or a few times in a row, in a way that
 * its man page allows; or it moves only one byte, or half. So a scenario can be run again and again with the fault at
 * each of its calls in turn (SQLite tests its allocations so).
 *
 * What a kernel says together with EAGAIN or a short count it keeps: an edge follows when there is more. Since an
 * injected one is a lie, the descriptor is armed anew (`kernel.ts`), which makes the kernel report it again.
 */
import type { ErrnoName } from "../../ffi/constants.ts";
import type { BsdSystem, LinuxSystem } from "../../ffi/system.ts";
import type { Backend } from "./faulty-system.ts";
import { type Kernel, kernel, onLinux, Registrations } from "./kernel.ts";
import { type FaultyRing, faultyRing, RING_CALLS, type RingCall, type RingKind } from "./ring-faults.ts";

/** Every system call that the seam has. A method added to `System` is one more, and `matrix.ts` must know it. */
export type SystemCall = Exclude<keyof LinuxSystem | keyof BsdSystem, "constants" | "allocate" | "pollerCalls">;
export type Call = SystemCall | RingCall;
export type Kind = ErrnoName | "1 byte" | RingKind;

export interface Fault {
  readonly call: Call;
  readonly kind: Kind;
  /** The first call that is hit, counted from 0. */
  readonly at: number;
  /** How many in a row. */
  readonly times: number;
}

export interface Injected {
  readonly system: Kernel;
  /** io_uring's own calls, with the fault if it is one of theirs. */
  readonly ring: FaultyRing;
  /** How often each method was called. */
  readonly counts: Map<Call, number>;
  /** How often the fault was injected. */
  hits: number;
}

type Method = (...args: never[]) => number;

/** Without a fault it only counts. */
export function singleFault(fault: Fault | undefined): Injected {
  const counts = new Map<Call, number>();
  /** Counts a call; what it is to fail with, if it is. */
  const draw = (call: Call): Kind | undefined => {
    const number = counts.get(call) ?? 0;
    counts.set(call, number + 1);
    if (fault?.call !== call || number < fault.at || number >= fault.at + fault.times) return undefined;
    injected.hits++;
    return fault.kind;
  };
  const ring = faultyRing((call) => draw(call) as RingKind | undefined);
  const injected: Injected = { system: injecting(kernel(), draw), ring, counts, hits: 0 };
  return injected;
}

/**
 * `real`, each of whose calls fails as `draw` says when it is asked, or not at all. `later`: arms descriptors anew, when
 * the call has returned.
 */
export function injecting(
  real: Kernel,
  draw: (call: SystemCall, args: readonly unknown[]) => Kind | undefined,
  later: (task: () => void) => void = setImmediate,
): Kernel {
  const { errno } = real.constants;
  const registered = new Registrations(real);
  const methods = real as unknown as Record<SystemCall, (...args: readonly unknown[]) => number>;
  const rearm = (fd: number): void => registered.rearm(fd);

  const run = (call: SystemCall, args: readonly unknown[]): number => {
    registered.note(call, args);
    return methods[call](...args);
  };

  const failed = (call: SystemCall, kind: Kind, args: readonly unknown[]): number => {
    const fd = args[0] as number;
    if (kind === "1 byte" || kind === "half") return cut(call, kind, args);
    // The kernel has done it all the same: EINTR of connect(2) goes on by itself, close(2) has closed.
    if (call === "close") run(call, args);
    // All changes are made (kevent(2)).
    if (call === "keventChange" && kind === "EINTR") run(call, args);
    // The connection is gone, whichever way one looks.
    if (call === "shutdown") real.shutdown(fd, real.constants.SHUT_RDWR);
    if (call === "connect" && kind === "EINTR") return Math.min(run(call, args), -errno.EINTR);
    if (kind === "EAGAIN") later(() => rearm(fd));
    return -errno[kind as ErrnoName];
  };

  /** Moves fewer bytes than were asked for. */
  const cut = (call: SystemCall, kind: Kind, args: readonly unknown[]): number => {
    const fd = args[0] as number;
    const less = (length: number): number => (kind === "1 byte" ? 1 : Math.max(1, length >> 1));
    if (call === "epollWait" || call === "keventWait") {
      const [fd, events, count, timeoutMs] = args as number[];
      return methods[call](fd, events, less(count), timeoutMs);
    }
    later(() => rearm(fd));
    if (call === "send") {
      const bytes = args[1] as Uint8Array;
      return real.send(fd, bytes.subarray(0, less(bytes.length)));
    }
    if (call === "sendFile") {
      const [, file, offset, length] = args as number[];
      return real.sendFile(fd, file, offset, less(length));
    }
    const [, address, length] = args as number[];
    // Of a read, less than there is: a byte, or half of what a small read would have had.
    if (call === "receive") return real.receive(fd, address, kind === "1 byte" ? 1 : 700);
    if (call === "sendAt") return real.sendAt(fd, address, less(length));
    throw new Error(`${call} has no count to cut short`);
  };

  const faulty = { ...real } as unknown as Record<SystemCall, Method>;
  for (const call of systemCalls(real)) {
    faulty[call] = ((...args: readonly unknown[]) => {
      const kind = draw(call, args);
      return kind === undefined ? run(call, args) : failed(call, kind, args);
    }) as Method;
  }
  return faulty as unknown as Kernel;
}

/** The methods that the real system has. */
function systemCalls(real: Kernel): SystemCall[] {
  return Object.keys(real).filter((key): key is SystemCall => !["constants", "allocate", "pollerCalls"].includes(key));
}

/** Those, and what is asked of io_uring. */
export function calls(): Call[] {
  const own = systemCalls(kernel());
  return onLinux ? [...own, ...RING_CALLS] : own;
}

const OF_EPOLL = ["epollCreate", "epollControl", "epollWait"] as const;
const OF_KQUEUE = ["kqueue", "keventChange", "keventWait"] as const;
const OF_EVENTFD = ["eventfd", "eventfdRead", "eventfdWrite"] as const;
/** What only another kernel has. */
export const ELSEWHERE: readonly Call[] = onLinux ? OF_KQUEUE : [...OF_EPOLL, ...OF_EVENTFD, ...RING_CALLS];

/** Calls that a backend need not make. */
export const FOREIGN: Readonly<Record<Backend, readonly Call[]>> = {
  epoll: RING_CALLS,
  uring: [...OF_EPOLL, "receive", "sendAt"],
  kqueue: [],
};

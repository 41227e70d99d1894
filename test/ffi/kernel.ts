/**
 * The kernel that tests run on: Linux's, or one that is played (test/support/kqueue). What asks for the readiness poller of
 * either, or changes its calls, goes by these.
 */
import { openEpoll } from "../../ffi/epoll.ts";
import { koffi } from "../../ffi/koffi.ts";
import { openKqueue } from "../../ffi/kqueue.ts";
import { system } from "../../ffi/libc.ts";
import { ReadinessPoller } from "../../ffi/readiness.ts";
import type { BsdSystem, LinuxSystem } from "../../ffi/system.ts";

export type Kernel = LinuxSystem | BsdSystem;

export function kernel(): Kernel {
  return system() as Kernel;
}

export const onLinux: boolean = kernel().constants.system === "linux";

/** A poller that is driven by readiness, on these calls. */
export function openReadiness(on: Kernel): ReadinessPoller {
  return new ReadinessPoller(on, "kqueue" in on ? openKqueue(on) : openEpoll(on));
}

/** The number that the kernel has for an errno. */
export function errno(name: keyof Kernel["constants"]["errno"]): number {
  return kernel().constants.errno[name];
}

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
/** Words of a struct kevent, and which is which. */
const FLAGS = 2;
const UDATA = 6;
const EV_DELETE = 2;

/** The descriptor that a call registers for a handle, not for the poller itself; -1 when it does nothing of the kind. */
export function registers(on: Kernel, call: string, args: readonly unknown[]): number {
  const [, second, third] = args as number[];
  if (call === "epollControl") return second === EPOLL_CTL_ADD && (args[4] as number) >= 0 ? third : -1;
  if (call !== "keventChange" || !("kqueue" in on)) return -1;
  const words = changesAt(on, second, 1);
  return words[UDATA] < 0 || (words[FLAGS] >>> 16) & EV_DELETE ? -1 : words[0];
}

/**
 * What is registered, so that it can be armed anew: who injects EAGAIN, or cuts a read short, has to see to it that the
 * kernel tells of what is still there.
 */
export class Registrations {
  readonly #on: Kernel;
  readonly #again = new Map<number, () => void>();

  constructor(on: Kernel) {
    this.#on = on;
  }

  /** Before a call is made. */
  note(call: string, args: readonly unknown[]): void {
    if (call === "close") this.#again.delete(args[0] as number);
    const on = this.#on;
    const fd = registers(on, call, args);
    if (fd < 0) return;
    if ("kqueue" in on) {
      const [kq, changes, count] = args as number[];
      const words = changesAt(on, changes, count).slice();
      this.#again.set(fd, () => {
        changesAt(on, scratch(on), count).set(words);
        on.keventChange(kq, scratch(on), count);
      });
    } else {
      const [epfd, , , events, low, high] = args as number[];
      this.#again.set(fd, () => on.epollControl(epfd, EPOLL_CTL_MOD, fd, events, low, high));
    }
  }

  rearm(fd: number): void {
    this.#again.get(fd)?.();
  }
}

/** kevent(2) reads memory outside of the heap, where a poller has written its changes. */
function changesAt(on: BsdSystem, address: number, count: number): Int32Array {
  return new Int32Array(koffi.view(BigInt(address), count * on.constants.keventBytes));
}

let room = 0;
function scratch(on: BsdSystem): number {
  if (room === 0) room = on.allocate(4 * on.constants.keventBytes).address;
  return room;
}

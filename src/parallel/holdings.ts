/**
 * What a worker thread has of the system beside its sockets: its poller's own descriptors (a ring, epoll sets, eventfds)
 * and memory outside of any JavaScript heap. Who dies frees none of it, and Node does not either: on io_uring it was half
 * a megabyte a death, and three descriptors besides when the thread had run out of memory. So each is noted as it comes, in
 * memory that the main thread reads when the thread is gone; nothing that the kernel was asked for on its behalf is under
 * way then (io_uring(7): a thread's requests are cancelled with it).
 */
import { koffi } from "../../ffi/koffi.ts";
import { system } from "../../ffi/libc.ts";
import { uringCalls } from "../../ffi/uring-calls.ts";

/** A poller has a dozen; what comes beyond that stays until the process ends. */
const MOST = 64;

/** Pieces of memory: an address, and how many bytes were mapped there; 0 for memory of malloc(3). */
export class Holdings {
  readonly memory: SharedArrayBuffer;
  readonly #pieces: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(MOST * 2 * 8)) {
    this.memory = memory;
    this.#pieces = new Float64Array(memory);
  }

  /** Worker: it has this from here on. */
  add(address: number, mapped: number): void {
    const at = this.#find(0);
    if (at < 0) return;
    this.#pieces[at + 1] = mapped;
    this.#pieces[at] = address;
  }

  /** Worker: it is about to free it itself. */
  remove(address: number): void {
    const at = this.#find(address);
    if (at >= 0) this.#pieces[at] = 0;
  }

  /** What is left; none of it is there any more. */
  *release(): Generator<{ readonly address: number; readonly mapped: number }> {
    const pieces = this.#pieces;
    for (let at = 0; at < pieces.length; at += 2) {
      const address = pieces[at];
      pieces[at] = 0;
      if (address !== 0) yield { address, mapped: pieces[at + 1] };
    }
  }

  #find(address: number): number {
    for (let at = 0; at < this.#pieces.length; at += 2) if (this.#pieces[at] === address) return at;
    return -1;
  }
}

/** Worker, before it opens its poller: from here on what it gets is noted. `owned` is told whether a descriptor is its own. */
export function noteHoldings(holdings: Holdings, owned: (fd: number, own: boolean) => void): void {
  const libc = system();
  const { allocate, close } = libc;
  libc.allocate = (bytes) => {
    const memory = allocate(bytes);
    holdings.add(memory.address, 0);
    return memory;
  };
  const noted = (fd: number): number => {
    if (fd >= 0) owned(fd, true);
    return fd;
  };
  const calls = libc as unknown as Record<string, () => number>;
  for (const name of libc.pollerCalls) {
    const make = calls[name];
    calls[name] = () => noted(make());
  }
  libc.close = (fd) => {
    // Before: as soon as it is closed another thread may get the same number.
    owned(fd, false);
    return close(fd);
  };
  const ring = uringCalls();
  const { setup, map, unmap } = ring;
  ring.setup = (entries, params) => noted(setup(entries, params));
  ring.map = (bytes, fd, offset) => {
    const memory = map(bytes, fd, offset);
    if (typeof memory !== "number") holdings.add(memory.address, bytes);
    return memory;
  };
  ring.unmap = (memory) => {
    holdings.remove(memory.address);
    unmap(memory);
  };
}

/** Main thread, when the worker is gone and its descriptors are closed. */
export function freeHoldings(holdings: Holdings): void {
  const munmap = koffi.load(null).func("munmap", "int", ["uintptr_t", "size_t"]);
  for (const { address, mapped } of holdings.release()) {
    if (mapped > 0) munmap(address, mapped);
    // By who allocated it. Another malloc may stand before libc's (LD_PRELOAD), and a free(3) that is looked up by its
    // name need not be that one's: with glibc's checks of its heap it was not, and a death in an executable was a crash.
    else koffi.free(BigInt(address));
  }
}

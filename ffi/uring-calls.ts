/**
 * The system calls of io_uring(7), which libc has no functions for, and of its memory: a seam beside `System`, since
 * what fails here fails in completions and not in what a call returns. A test wraps `enter`, and changes those.
 */
import { constantsHere } from "./constants.ts";
import { koffi } from "./koffi.ts";
import type { KernelMemory } from "./system.ts";

export interface UringCalls {
  /** io_uring_setup(2): `params` is a struct io_uring_params, which the kernel fills. A descriptor, or negated errno. */
  setup(entries: number, params: Uint32Array): number;
  /** io_uring_enter(2): how many requests were taken; `argument` names `size` bytes outside the JS heap. */
  enter(fd: number, submit: number, wait: number, flags: number, argument: number, size: number): number;
  /** io_uring_register(2). What `argument` points to in turn must be memory of `map`. */
  register(fd: number, what: number, argument: Int32Array | BigUint64Array, count: number): number;
  /** mmap(2): of `fd`, shared with the kernel, or with -1 private and zeroed. */
  map(bytes: number, fd: number, offset: number): KernelMemory | number;
  unmap(memory: KernelMemory): void;
}

// The same on every architecture (include/uapi/asm-generic/unistd.h).
const IO_URING_SETUP = 425;
const IO_URING_ENTER = 426;
const IO_URING_REGISTER = 427;
// sys/mman.h: PROT_READ | PROT_WRITE; MAP_PRIVATE | MAP_ANONYMOUS; MAP_SHARED | MAP_POPULATE
const READ_WRITE = 3;
const ANONYMOUS = 0x22;
const SHARED = 0x8001;
const ENOSYS = 38;

let bound: UringCalls | undefined;

/** The real ones, bound once a process; where the system is none that has them, all are refused. */
export function uringCalls(): UringCalls {
  return (bound ??= constantsHere().system === "linux" ? bind() : absent());
}

function absent(): UringCalls {
  const refuse = (): number => -ENOSYS;
  return { setup: refuse, enter: refuse, register: refuse, map: refuse, unmap() {} };
}

function bind(): UringCalls {
  const c = koffi.load(null);
  const errno = koffi.errno;
  const setup = c.func("syscall", "int", ["long", "uint32_t", "void *"]);
  const enter = c.func("syscall", "int", ["long", "int", "uint32_t", "uint32_t", "uint32_t", "uintptr_t", "size_t"]);
  const register = c.func("syscall", "int", ["long", "int", "uint32_t", "void *", "uint32_t"]);
  const mmap = c.func("mmap", "intptr_t", ["uintptr_t", "size_t", "int", "int", "int", "int64_t"]);
  const munmap = c.func("munmap", "int", ["uintptr_t", "size_t"]);
  const checked = (result: number): number => (result < 0 ? -errno() : result);
  return {
    setup: (entries, params) => checked(setup(IO_URING_SETUP, entries, params)),
    enter(fd, submit, wait, flags, argument, size) {
      const n: number = enter(IO_URING_ENTER, fd, submit, wait, flags, argument, size);
      return n < 0 ? -errno() : n;
    },
    register: (fd, what, argument, count) => checked(register(IO_URING_REGISTER, fd, what, argument, count)),
    map(bytes, fd, offset) {
      const address = Number(mmap(0, bytes, READ_WRITE, fd < 0 ? ANONYMOUS : SHARED, fd, offset));
      return address === -1 ? -errno() : { address, buffer: koffi.view(BigInt(address), bytes) };
    },
    unmap: ({ address, buffer }) => void munmap(address, buffer.byteLength),
  };
}

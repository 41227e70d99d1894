/**
 * The two rings of io_uring(7) as typed arrays: requests go in, completions come out, one io_uring_enter(2) a turn.
 * What requests mean is `uring.ts`'s knowledge.
 *
 * Set up with COOP_TASKRUN: the kernel works for us at the end of whatever system call our thread makes, the host loop's
 * own included, and never interrupts JavaScript for it. So what came while the loop slept lies in the queue when it wakes,
 * and the ring's descriptor tells of it. DEFER_TASKRUN, with which it works only when we enter, costs an enter and an
 * eventfd more each time the process wakes: a request on one connection took 1.13 times as much.
 */
import type { KernelMemory, System } from "./system.ts";
import type { UringCalls } from "./uring-calls.ts";

// linux/io_uring.h
const SETUP = (1 << 3) | (1 << 4) | (1 << 7) | (1 << 8) | (1 << 9) | (1 << 12); // CQSIZE CLAMP SUBMIT_ALL COOP_TASKRUN TASKRUN_FLAG SINGLE_ISSUER
const FEAT_SINGLE_MMAP = 1 << 0;
const FEAT_NODROP = 1 << 1;
const FEAT_CQE_SKIP = 1 << 11;
const OFFSET_SQ_RING = 0;
const OFFSET_SQES = 0x10000000;
const ENTER_GETEVENTS = 1 << 0;
const ENTER_EXT_ARG = 1 << 3;
const SQ_CQ_OVERFLOW = 1 << 1;
const SQ_TASKRUN = 1 << 2;

/** 64 bytes a request: the queue of requests that one enter takes. More than that enter in between. */
const SQ_ENTRIES = 1024;
/** What the kernel may tell before we look; beyond, it keeps a list of its own (NODROP), which costs it memory. */
const CQ_ENTRIES = 4096;
const WORDS = 16;
/** No other call site tells it apart. */
const ENOSYS = 38;

/** How often it is asked. */
const TRIES = 200_000;
const OP_NOP = 0;

// linux/io_uring.h: io_uring_register(2), and its argument
const REGISTER_SYNC_CANCEL = 24;
const NO_DESCRIPTOR = 0xffffffffn;
const NO_TIMEOUT = 0xffffffffffffffffn;

/** Operations of more than one file. */
export const OP_SEND = 26;
export const OP_RECV = 27;
export const RECV_MULTISHOT = 1 << 1;
/** Bits of a completion's flags. */
export const F_BUFFER = 1 << 0;
export const F_MORE = 1 << 1;
/** sys/socket.h: a send ends when all is sent, or it fails. */
export const MSG_WAITALL = 0x100;

/** `struct io_uring_sqe` as 32-bit words: where each field stands. */
export const FD = 1;
export const OFFSET = 2;
export const ADDRESS = 4;
export const LENGTH = 6;
export const OP_FLAGS = 7;
const USER_DATA = 8;
/** Bits of an SQE's flags byte. */
export const IO_LINK = 1 << 2;
export const BUFFER_SELECT = 1 << 5;
export const CQE_SKIP_SUCCESS = 1 << 6;

export class Ring {
  /** Readable while completions wait. */
  readonly fd: number;
  /** Requests that the kernel has not been given yet. */
  pending = 0;
  /** The running number of the next request; those before `taken` are with the kernel. */
  next = 0;
  taken = 0;
  /** The request queue. */
  readonly words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #system: System;
  readonly #calls: UringCalls;
  readonly #memory: readonly KernelMemory[];
  readonly #ring: Int32Array;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqes: number;
  readonly #sqMask: number;
  readonly #cqMask: number;
  #ended = false;
  /** What stands in `#arg`. */
  #waited = -1;
  /** struct io_uring_getevents_arg, and behind it the struct __kernel_timespec that it points to. */
  readonly #arg: KernelMemory;
  readonly #argWords: BigInt64Array;

  /** Throws one sentence when the kernel refuses. */
  constructor(system: System, calls: UringCalls) {
    this.#system = system;
    this.#calls = calls;
    const params = new Uint32Array(30);
    params[1] = CQ_ENTRIES;
    params[2] = SETUP;
    const fd = calls.setup(SQ_ENTRIES, params);
    if (fd < 0) throw new Error(refusal(-fd, system.constants.errno));
    this.fd = fd;
    const needed = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_CQE_SKIP;
    if ((params[5] & needed) !== needed) {
      system.close(fd);
      throw new Error(`this kernel's io_uring lacks what we need (features ${params[5].toString(16)})`);
    }
    // struct io_sqring_offsets stands at word 10, struct io_cqring_offsets at word 20.
    const ringBytes = Math.max(params[16] + params[0] * 4, params[25] + params[1] * 16);
    const rings = calls.map(ringBytes, fd, OFFSET_SQ_RING);
    const requests = typeof rings === "number" ? rings : calls.map(params[0] * 64, fd, OFFSET_SQES);
    if (typeof rings === "number" || typeof requests === "number") {
      if (typeof rings !== "number") calls.unmap(rings);
      if (typeof requests !== "number") calls.unmap(requests);
      system.close(fd);
      throw new Error("io_uring's rings could not be mapped");
    }
    this.#memory = [rings, requests];
    const ring = new Int32Array(rings.buffer);
    this.#ring = ring;
    this.words = new Uint32Array(requests.buffer);
    this.#bytes = new Uint8Array(requests.buffer);
    this.#halves = new Uint16Array(requests.buffer);
    this.#sqTail = params[11] >> 2;
    this.#sqMask = ring[params[12] >> 2];
    this.#sqFlags = params[14] >> 2;
    this.#cqHead = params[20] >> 2;
    this.#cqTail = params[21] >> 2;
    this.#cqMask = ring[params[22] >> 2];
    this.#cqes = params[25] >> 2;
    for (let i = 0; i < params[0]; i++) ring[(params[16] >> 2) + i] = i;
    this.#arg = system.allocate(40);
    this.#argWords = new BigInt64Array(this.#arg.buffer);
  }

  register(what: number, argument: Int32Array | BigUint64Array, count: number): number {
    return this.#calls.register(this.fd, what, argument, count);
  }

  /** Room for one more request, zeroed but for these; returns where its words begin. */
  request(op: number, fd: number, dataLow: number, dataHigh: number): number {
    if (this.pending === SQ_ENTRIES) this.submit();
    const at = (this.next & this.#sqMask) * WORDS;
    const { words } = this;
    words[at] = op;
    words[at + FD] = fd;
    words[at + 2] = 0;
    words[at + 3] = 0;
    words[at + 4] = 0;
    words[at + 5] = 0;
    words[at + 6] = 0;
    words[at + 7] = 0;
    words[at + USER_DATA] = dataLow;
    words[at + USER_DATA + 1] = dataHigh;
    words[at + 10] = 0;
    words[at + 11] = 0;
    words[at + 12] = 0;
    words[at + 13] = 0;
    words[at + 14] = 0;
    words[at + 15] = 0;
    this.next = (this.next + 1) | 0;
    this.pending++;
    return at;
  }

  /** The next request will be in the same enter as the last one. */
  get hasRoom(): boolean {
    return this.pending < SQ_ENTRIES;
  }

  /** The flags byte of the request at `at`, and its 16 bits of ioprio. */
  flag(at: number, flags: number): void {
    this.#bytes[at * 4 + 1] |= flags;
  }
  priority(at: number, bits: number): void {
    this.#halves[at * 2 + 1] = bits;
  }
  bufferGroup(at: number, group: number): void {
    this.#halves[at * 2 + 20] = group;
  }
  /** An address as two words: user space has 47 bits of it. */
  address(at: number, address: number): void {
    this.words[at + ADDRESS] = address >>> 0;
    this.words[at + ADDRESS + 1] = Math.floor(address / 0x100000000);
  }

  /**
   * Gives the kernel all that is pending, without looking for completions; those of these requests may be there then.
   * Who relies on a send that has ended, or a descriptor that is free, can't go on before: so one that is short of memory
   * (EAGAIN) is asked again, for some tenths of a second.
   */
  submit(): void {
    if (this.#ended) return;
    for (let tries = 0; this.pending > 0; tries++) {
      const result = this.#enter(0, 0);
      if (result < 0 && (!this.#passes(result) || tries > TRIES)) {
        throw new Error(`io_uring takes no requests: errno ${-result}`);
      }
    }
  }

  /** Gives it what is pending and lets it work for us. `waitMs` as in `Poller.poll`. */
  enter(waitMs: number): void {
    if (this.#ended) return;
    if (waitMs === 0) this.#enter(0, ENTER_GETEVENTS);
    else this.#wait(waitMs);
    if (this.pending === 0) return;
    this.submit();
    this.#enter(0, ENTER_GETEVENTS);
  }

  /** Whether entering could bring anything: no system call. */
  get worthEntering(): boolean {
    return this.pending > 0 || (Atomics.load(this.#ring, this.#sqFlags) & (SQ_TASKRUN | SQ_CQ_OVERFLOW)) !== 0;
  }
  /** Completions lie in the kernel's own list since our queue was full. */
  get overflowed(): boolean {
    return (Atomics.load(this.#ring, this.#sqFlags) & SQ_CQ_OVERFLOW) !== 0;
  }
  /** Completions that `take` would give. */
  get waiting(): number {
    return (Atomics.load(this.#ring, this.#cqTail) - this.#ring[this.#cqHead]) | 0;
  }

  /** Moves all completions to `into`, four words each (data low, data high, result, flags), from word `at`; returns the end. */
  take(into: Int32Array, at: number): number {
    const ring = this.#ring;
    const mask = this.#cqMask;
    const cqes = this.#cqes;
    let head = ring[this.#cqHead];
    const tail = Atomics.load(ring, this.#cqTail);
    if (head === tail) return at;
    while (head !== tail && at < into.length) {
      const from = cqes + ((head & mask) << 2);
      into[at] = ring[from];
      into[at + 1] = ring[from + 1];
      into[at + 2] = ring[from + 2];
      into[at + 3] = ring[from + 3];
      at += 4;
      head = (head + 1) | 0;
    }
    Atomics.store(ring, this.#cqHead, head);
    return at;
  }

  /** The thread ends: nothing is asked for any more. Its memory goes with the process. */
  end(): void {
    this.#ended = true;
    this.#system.close(this.fd);
  }

  /** Every request must have ended: the kernel may write to what they named until then. */
  dispose(): void {
    this.#system.close(this.fd);
    for (const memory of this.#memory) this.#calls.unmap(memory);
  }

  #enter(wait: number, flags: number): number {
    Atomics.store(this.#ring, this.#sqTail, this.next);
    const submitted = this.#calls.enter(this.fd, this.pending, wait, flags, 0, 0);
    this.#submitted(submitted);
    return submitted;
  }

  #passes(result: number): boolean {
    const { EINTR, EAGAIN } = this.#system.constants.errno;
    return result === -EINTR || result === -EAGAIN;
  }

  #wait(waitMs: number): void {
    Atomics.store(this.#ring, this.#sqTail, this.next);
    const argument = this.#arg;
    if (waitMs < 0) {
      this.#submitted(this.#calls.enter(this.fd, this.pending, 1, ENTER_GETEVENTS, 0, 0));
      return;
    }
    if (waitMs !== this.#waited) {
      this.#waited = waitMs;
      const words = this.#argWords;
      words[0] = 0n; // no signal mask
      words[1] = 0n;
      words[2] = BigInt(argument.address + 24);
      words[3] = BigInt(Math.floor(waitMs / 1000));
      words[4] = BigInt(Math.round((waitMs % 1000) * 1e6));
    }
    const flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
    this.#submitted(this.#calls.enter(this.fd, this.pending, 1, flags, argument.address, 24));
  }

  /** When it returns the request has ended, or been called off: then it is told to have ended with ECANCELED. */
  #endOf(dataLow: number, dataHigh: number): void {
    const argument = syncCancel(dataLow, dataHigh);
    while (this.register(REGISTER_SYNC_CANCEL, argument, 1) === -this.#system.constants.errno.EINTR);
  }

  /** Interrupted, timed out, or short of memory: what was not taken stays pending. */
  #submitted(result: number): void {
    if (result <= 0) return;
    this.pending -= result;
    this.taken = (this.taken + result) | 0;
    if (this.pending > 0) this.#cutLink();
  }

  /**
   * It took the first of two that are linked without the second. The first is with a thread of the kernel's then, since a
   * link ends with what is submitted: it is waited for, or called off. The second depends on nothing any more: it is
   * dropped here if the first has failed (those that succeed are not told of), just as the kernel would have.
   */
  #cutLink(): void {
    const { words } = this;
    const first = ((this.taken - 1) & this.#sqMask) * WORDS;
    if ((this.#bytes[first * 4 + 1] & IO_LINK) === 0) return;
    this.#endOf(words[first + USER_DATA], words[first + USER_DATA + 1]);
    const ring = this.#ring;
    const tail = Atomics.load(ring, this.#cqTail);
    for (let head = ring[this.#cqHead]; head !== tail; head = (head + 1) | 0) {
      const at = this.#cqes + ((head & this.#cqMask) << 2);
      if (ring[at] >>> 0 !== words[first + USER_DATA] || ring[at + 1] >>> 0 !== words[first + USER_DATA + 1]) continue;
      this.#bytes[(this.taken & this.#sqMask) * WORDS * 4] = OP_NOP;
      return;
    }
  }
}

/** struct io_uring_sync_cancel_reg: the request's data; no descriptor and no flags; no timeout. */
function syncCancel(dataLow: number, dataHigh: number): BigUint64Array {
  const argument = new BigUint64Array(8);
  argument[0] = (BigInt(dataHigh >>> 0) << 32n) | BigInt(dataLow >>> 0);
  argument[1] = NO_DESCRIPTOR;
  argument[2] = argument[3] = NO_TIMEOUT;
  return argument;
}

/** Why io_uring_setup(2) refuses, in words. */
function refusal(errno: number, { EPERM, EACCES, EINVAL, ENOMEM }: System["constants"]["errno"]): string {
  const name = errno === EPERM ? "EPERM" : errno === EACCES ? "EACCES" : `errno ${errno}`;
  if (errno === EPERM || errno === EACCES) {
    return `io_uring_setup: ${name}, forbidden by a seccomp profile or by sysctl kernel.io_uring_disabled`;
  }
  if (errno === EINVAL) return "io_uring_setup: EINVAL, this kernel is too old (6.0 has all that is needed)";
  if (errno === ENOSYS) return "io_uring_setup: ENOSYS, this kernel was built without io_uring";
  if (errno === ENOMEM) return "io_uring_setup: ENOMEM, not enough memory, or too little may be locked (ulimit -l)";
  return `io_uring_setup failed with errno ${errno}`;
}

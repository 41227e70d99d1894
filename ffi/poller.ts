/**
 * The poller contract: what each kernel mechanism gives to everything above it.
 *
 *   open(fd, sink) → handle     watch a descriptor; everything that happens to it is told to its sink
 *   close(handle)               stop watching and close the descriptor
 *   poll(timeoutMs) → count     deliver what the kernel has; 0 looks and returns, -1 parks until something happens
 *   attend(fd), wait(timeoutMs) wait as a parked poll does, until the host's loop has something too; deliver nothing
 *   wake()                      make a parked poll or wait return; the one call that any thread may make
 *
 * and the operations on a handle: accept, connect, receive/pause, receiveDatagrams, send, sendSome, sendTo, sendFile,
 * shutdown. They are operations rather than readiness, so that completion kernels (io_uring, IOCP) and readiness kernels
 * (epoll, kqueue) meet the same contract: `readiness.ts` turns the three verbs of a readiness backend into them, once
 * for all.
 *
 * Handles are small integers, indices into typed arrays. **The life of a handle:** open → closing → free. It is
 * closing from `close(handle)` until the kernel holds nothing of it (at once on readiness kernels, at the last
 * completion on others) and its number is not given out again before. Each number carries a generation, which goes to
 * the kernel with it and comes back with each event: an event of a former life is dropped, and never reaches the
 * descriptor's or the number's next owner. After `close` the sink hears nothing more, and must not name the handle.
 *
 * Bytes are lent, both ways. `received` lends a view of the poller's own memory until it returns: who wants to keep
 * bytes copies them; so an idle connection owns no buffer. `outgoing` lends memory to write a message into, to be
 * given to `sendOutgoing` before anything else runs. `send` takes what the caller has: the kernel, or a copy of ours,
 * holds it when the call returns.
 *
 * No operation throws for what the kernel says: they return 0 or more, or a negated errno. What a sink throws is
 * caught, and told to `onSinkError` with its handle.
 */
import type { BsdConstants } from "./constants/bsd.ts";
import { type Constants, constantsHere, type SystemName } from "./constants.ts";
import { openEpoll } from "./epoll.ts";
import { IocpPoller } from "./iocp.ts";
import { iocpCalls } from "./iocp-calls.ts";
import { openKqueue } from "./kqueue.ts";
import { bsdSystem } from "./libc-bsd.ts";
import { linuxSystem } from "./libc-linux.ts";
import { ReadinessPoller } from "./readiness.ts";
import type { System } from "./system.ts";
import { UringPoller } from "./uring.ts";
import { uringCalls } from "./uring-calls.ts";
import type { Watch } from "./watch.ts";
import { winsock } from "./winsock.ts";

export type Handle = number;

/** Who is told what happens to a handle. One object may serve any number of handles. */
export interface Sink {
  /** A connection was accepted: `fd` is the callee's now, non-blocking and close-on-exec. */
  accepted(listener: Handle, fd: number): void;
  connected(handle: Handle): void;
  /** `bytes[start, end)` arrived; they are lent for the call. */
  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void;
  /** A datagram arrived from the socket address `from`; both are lent for the call. */
  datagram(handle: Handle, bytes: Uint8Array, start: number, end: number, from: Uint8Array): void;
  /** All that `send` had kept has gone to the kernel: send more. */
  sent(handle: Handle): void;
  /**
   * Bytes of `sendOutgoing` that were answered with SENT wait after all: everything is as after SENDING, and `sent`
   * follows. Only completion kernels find out so late; who never calls `sendOutgoing` need not listen.
   */
  blocked?(handle: Handle): void;
  /** The peer sent FIN and everything before it has been delivered. */
  ended(handle: Handle): void;
  /** The peer is gone or half gone, though receiving is paused and bytes may wait unread. Told at least once. */
  hungUp(handle: Handle): void;
  /**
   * The handle broke with this errno; close it. For a listener it is a pause, not an end: accepting goes on by
   * itself once descriptors or memory come back (EMFILE, ENFILE, ENOBUFS, ENOMEM).
   */
  failed(handle: Handle, errno: number): void;
  /** The handle's deadline passed: told by the runtime's timer wheel, not by the kernel. */
  expired(handle: Handle): void;
}

export { SENDING, SENT } from "./send-result.ts";

export interface Poller {
  readonly name: string;
  readonly constants: Constants;
  readonly system: System;
  /** The descriptor that is readable while the kernel has something for `poll(0)`; -1 on Windows, which has none. */
  readonly descriptor: number;
  /** Handles open now. */
  readonly openCount: number;
  /** True while work waits that no kernel event will announce: call `poll(0)` again soon. */
  readonly pending: boolean;
  /** Handles that wait for descriptors or memory to come back; `retry()` tries them again. */
  readonly stalled: number;
  /** Called when `pending` or `stalled` turns true outside `poll`: whoever drives the poller schedules a look. */
  onPending: () => void;
  onSinkError: (handle: Handle, error: unknown) => void;
  /**
   * Called with 1 when a closed handle still has bytes to deliver that were answered with SENT, and keeps its descriptor
   * for that; with -1 when that is over, after 30 s at the latest.
   */
  onLeaving: (change: 1 | -1) => void;

  /**
   * Returns the handle, or a negated errno; then the descriptor is still the caller's. `spoke`: its peer's first bytes
   * have come, in all likelihood; who receives at once gets them within the poll that runs.
   */
  open(fd: number, sink: Sink, spoke?: boolean): Handle | number;
  /**
   * `atOnce`: its descriptor is free when this returns, for who waits for one; else soon, on completion kernels. There it
   * is kept in either case while bytes that were answered with SENT are to be delivered (`onLeaving`).
   */
  close(handle: Handle, atOnce?: boolean): void;
  poll(timeoutMs: number): number;
  /** Has the host's loop call `ready`, which must not throw, as long as there is something for `poll(0)`. */
  watch(ready: () => void): Watch;
  /**
   * Names a descriptor that ends `wait` when it is readable; -1 for none. It must not be one that becomes readable because
   * `descriptor` does. Returns 0 or a negated errno.
   */
  attend(fd: number): number;
  /**
   * Gives the kernel what is pending, and waits as `poll` does, but delivers nothing: true when there is something for
   * `poll(0)` to deliver. `attendedReady` says whether the descriptor of `attend` was readable.
   */
  wait(timeoutMs: number): boolean;
  readonly attendedReady: boolean;
  wake(): void;
  retry(): void;
  /** Frees the poller's own descriptors. Every handle must have been closed. */
  dispose(): void;

  /** The descriptor behind a handle, for socket options and addresses. */
  fd(handle: Handle): number;
  sink(handle: Handle): Sink | undefined;
  /** Hands the handle to another sink, e.g. when a connection changes its protocol. */
  setSink(handle: Handle, sink: Sink): void;

  /** Keeps accepting until `pause`. */
  accept(listener: Handle): void;
  /** Starts to connect to a socket address; `connected` or `failed` follows unless an errno is returned. */
  connect(handle: Handle, address: Uint8Array): number;
  /** Keeps receiving until `pause`. Calling it again while receiving changes nothing. */
  receive(handle: Handle): void;
  receiveDatagrams(handle: Handle): void;
  /** Stops `received`, `datagram` or `accepted`; what was in flight on a completion kernel may still come once. */
  pause(handle: Handle): void;
  /** Sends `bytes[start, end)`. Returns SENT, SENDING or a negated errno. While SENDING, more is queued behind. */
  send(handle: Handle, bytes: Uint8Array, start: number, end: number): number;
  /** The lent memory for outgoing messages. Valid until the next call into the poller. */
  readonly outgoing: Uint8Array<ArrayBuffer>;
  /** Where it lies, for who has something else write into it. */
  readonly outgoingAddress: number;
  /** Sends `outgoing[start, end)`; same results as `send`. */
  sendOutgoing(handle: Handle, start: number, end: number): number;
  /** Sends one datagram whole. Returns its length or a negated errno; after -EAGAIN, `sent` says when to try again. */
  sendTo(handle: Handle, bytes: Uint8Array, to: Uint8Array): number;
  /**
   * Sends of `bytes[start, end)` what fits now: send(2), tried once, and nothing is kept. Returns how many bytes were
   * taken, or a negated errno. After -EAGAIN the socket is full, or earlier bytes still wait, and `sent` says when to try
   * again. For large bodies: what `send` keeps is a copy. With `more` the next send follows at once, and leaves in one
   * packet with a small one.
   */
  sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number, more?: boolean): number;
  /**
   * Sends from `offset` of a regular file's descriptor, at most `length` bytes: sendfile(2), tried once. The file stays
   * the caller's, and its position where it is. Returns how many bytes were taken, 0 at the file's end, or a negated
   * errno. After -EAGAIN the socket is full, or earlier bytes still wait, and `sent` says when to try again. Whatever
   * else refuses (EINVAL: not every file can be sent from so): read the file, and use `send`.
   */
  sendFile(handle: Handle, file: number, offset: number, length: number): number;
  /**
   * Bytes of a connection that its peer has not acknowledged: those that wait with us and those in the kernel's send
   * buffer. It costs a system call: ask rarely.
   */
  outstanding(handle: Handle): number;
  /** shutdown(2) of the sending side: FIN after what was sent. The caller waits for `sent` first. */
  shutdown(handle: Handle): number;
}

/** What a connection is read and written through: the poller itself, or a layer over it (src/tls). */
export type Transport = Pick<
  Poller,
  | "constants"
  | "system"
  | "fd"
  | "setSink"
  | "receive"
  | "pause"
  | "send"
  | "outgoing"
  | "sendOutgoing"
  | "sendSome"
  | "sendFile"
  | "outstanding"
  | "shutdown"
  | "onSinkError"
>;

/**
 * The backends for each system, best first. Each is tried by opening it, not by asking for versions: seccomp, sysctls
 * and old kernels refuse in ways that no version number tells.
 */
const backends: Readonly<Record<SystemName, readonly Backend[]>> = {
  linux: [
    { name: "uring", open: () => new UringPoller(linuxSystem(), uringCalls()) },
    { name: "epoll", open: () => new ReadinessPoller(linuxSystem(), openEpoll(linuxSystem())) },
  ],
  darwin: [kqueueOf("darwin")],
  freebsd: [kqueueOf("freebsd")],
  openbsd: [kqueueOf("openbsd")],
  windows: [{ name: "iocp", open: () => new IocpPoller(winsock(), iocpCalls()) }],
};

interface Backend {
  readonly name: string;
  open(): Poller;
}

function kqueueOf(name: BsdConstants["system"]): Backend {
  return { name: "kqueue", open: () => new ReadinessPoller(bsdSystem(name), openKqueue(bsdSystem(name))) };
}

/** Those of the system that we run on. */
function backendsHere(): readonly Backend[] {
  try {
    return backends[constantsHere().system];
  } catch (error) {
    throw new NoPoller(error instanceof Error ? error.message : String(error));
  }
}

/** What `openPoller` found. */
export interface OpenedPoller {
  readonly poller: Poller;
  /** Better ones that this machine refused, a sentence each. */
  readonly refused: readonly string[];
}

/** No poller works here, or not the one that was asked for: the person's to mend, so the text is all that is shown. */
export class NoPoller extends Error {
  override readonly name = "NoPoller";
}

function asked(): string | undefined {
  try {
    return process.env["SLIPWAY_POLLER"];
  } catch {
    // Deno without --allow-env: --allow-ffi is all that a server needs.
    return undefined;
  }
}

/** Opens the best poller that works here; `SLIPWAY_POLLER`, or the caller, names one to insist on. */
export function openPoller(wanted: string | undefined = asked()): OpenedPoller {
  const here = backendsHere();
  const candidates = wanted ? here.filter((backend) => backend.name === wanted) : here;
  if (candidates.length === 0) {
    throw new NoPoller(
      `SLIPWAY_POLLER=${wanted}: no such poller here; choose one of: ${here.map((b) => b.name).join(", ")}`,
    );
  }
  const refused: string[] = [];
  for (const backend of candidates) {
    try {
      return { poller: backend.open(), refused };
    } catch (error) {
      refused.push(`${backend.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new NoPoller(
    wanted
      ? `SLIPWAY_POLLER=${refused.join("; ")}; without it the best that works here is taken`
      : `no network poller works on this machine (${refused.join("; ")})`,
  );
}

/**
 * Listening sockets, TCP and Unix, in Deno's shape.
 *
 * The kernel is asked for connections only while somebody waits for one: the others stay in its queue, where they cost
 * us nothing, and where it is visible that we are behind.
 */
import type { Handle, Sink } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { BadResource, Busy } from "../runtime/errors.ts";
import { logError, logLine } from "../runtime/log.ts";
import type { Runtime } from "../runtime/turn.ts";
import { type Addr, type NetAddr, showAddress } from "./address.ts";
import type { Conn } from "./conn.ts";
import { type Opener, openConn } from "./conn_kinds.ts";
import { DEFER_S, deferAccept, handshakesOn, isDeferring } from "./deferred.ts";
import type { Feed } from "./feed.ts";
import { type SocketFile, socketsLiveOn } from "./socket_file.ts";
import { turnAway } from "./turn_away.ts";

/** How often `takeWaiting` finds the queue empty before it takes that for the end. */
const LOOKS_AT_EMPTY = 50;
/** One line about missing descriptors in this time, however often accept(2) says so. */
const COMPLAIN_EVERY_MS = 10_000;

/** No kernel keeps more connections in the queue of a listener than this by default (net.core.somaxconn). */
const MAX_QUEUE = 4096;

/** Deferred clients have come, with bytes or without, so soon after deferring ends; and how often it is asked for them. */
const DEFERRED_MS = DEFER_S * 1000 + 300;
const LOOK_FOR_DEFERRED_MS = 50;

/** Stands for the handle of a listener that is fed by another thread. */
const FED: Handle = 0;

interface Waiter {
  resolve(fd: number): void;
  reject(error: Error): void;
}

/** A listening socket. Made by `listen` and `listenFd`. */
export class Listener<C extends Conn = Conn, A extends Addr = Addr> implements AsyncIterable<C>, Disposable {
  /** Where it listens; still known after `close`. */
  readonly addr: A;
  readonly #runtime: Runtime;
  readonly #file: SocketFile | undefined;
  readonly #tcp: boolean;
  /** This process made the socket, and no other has it. */
  readonly #sole: boolean;
  /** -1 when closed. */
  #handle: Handle;
  #waiters: Waiter[] = [];
  /** Accepted though nobody waited any more: what a completion kernel had been asked for before a pause. */
  #early: number[] = [];
  #take: ((fd: number) => void) | undefined;
  #closed: (() => void) | undefined;
  /** What the user wants; and whether the process is held now: only while somebody waits for a connection. */
  #referenced = true;
  #holding = false;
  #complainedAt = Number.NEGATIVE_INFINITY;
  /** accept(2) failed for lack of descriptors or memory, and nothing was accepted since. */
  #lacking = false;
  /** Until when deferred clients may come, in clock milliseconds; and when it was last asked for them. */
  #deferredUntil = 0;
  #lookedForDeferred = 0;
  /** Told when a connection can't be accepted for lack of descriptors: the admin port keeps some back. @internal */
  starved: (() => void) | undefined;

  /** As in Deno, one `accept` at a time: another meanwhile fails with `Busy`. @internal */
  alone = false;

  /** Makes connections of what is accepted; undefined for plain ones. @internal */
  opener: Opener | undefined;

  /** Another thread accepts. @internal */
  readonly feed: Feed | undefined;

  /** @internal Use `listen` or `listenFd`. */
  constructor(rt: Runtime, from: number | Feed, addr: A, file: SocketFile | undefined, sole = false) {
    this.#sole = sole;
    this.#runtime = rt;
    this.addr = addr;
    this.#file = file;
    this.#tcp = addr.transport === "tcp";
    if (typeof from !== "number") {
      this.feed = from;
      this.#handle = FED;
      return;
    }
    this.#handle = rt.open(from, this.#sink());
    if (this.#handle < 0) {
      file?.remove();
      throw errnoError(rt.poller.constants, -this.#handle, `listen on ${showAddress(addr)}`);
    }
    rt.release();
  }

  /** Waits for the next connection. Several callers are served in the order in which they asked. */
  accept(): Promise<C> {
    if (this.#handle < 0) return Promise.reject(closedError());
    if (this.#take !== undefined) return Promise.reject(new TypeError("this listener's connections go to a server"));
    if (this.alone && this.#waiters.length > 0) return Promise.reject(new Busy("Another accept task is ongoing"));
    const fd = this.#early.shift();
    if (fd !== undefined) return Promise.resolve(this.#open(fd));
    return new Promise((resolve, reject) => {
      const opened = (fd: number): void => {
        try {
          resolve(this.#open(fd));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiters.push({ resolve: opened, reject });
      if (this.#waiters.length === 1) this.#begin();
      this.#hold();
    });
  }

  /** Stops listening. Whoever waits for a connection gets `BadResource`; connections in the kernel's queue are reset. */
  close(): void {
    if (this.#handle < 0) return;
    const handle = this.#handle;
    this.#handle = -1;
    for (const fd of this.#early.splice(0)) this.#runtime.poller.system.close(fd);
    this.#take = undefined;
    const waiters = this.#waiters.splice(0);
    if (!this.#holding) this.#runtime.hold();
    this.#holding = false;
    if (this.feed === undefined) this.#runtime.close(handle);
    else {
      this.#runtime.release();
      this.feed.close();
    }
    this.#file?.remove();
    for (const waiter of waiters) waiter.reject(closedError());
    const closed = this.#closed;
    this.#closed = undefined;
    closed?.();
  }

  /** Lets a waiting `accept` keep the process alive, as it does by default. */
  ref(): void {
    this.#referenced = true;
    this.#hold();
  }

  /** Lets the process end although an `accept` waits. */
  unref(): void {
    this.#referenced = false;
    this.#hold();
  }

  /**
   * Each connection as it comes; ends when the listener is closed. Leaving the loop closes the listener, as in Deno.
   *
   * ```ts
   * import { listen } from "slipway";
   * const listener = listen({ port: 0 });
   * queueMicrotask(() => listener.close());
   * for await (const conn of listener) conn.close();
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, undefined, undefined> {
    try {
      while (this.#handle >= 0) yield await this.accept();
    } catch (error) {
      if (this.#handle >= 0 || !(error instanceof BadResource)) throw error;
    } finally {
      this.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The descriptor, -1 when closed, or another thread's. @internal */
  get fd(): number {
    return this.#handle < 0 || this.feed !== undefined ? -1 : this.#runtime.poller.fd(this.#handle);
  }

  /**
   * Accepts until `stopAccepting`, each descriptor going to `take`, which opens or closes it. `closed` is told when the
   * listener is closed, by whomever. @internal
   */
  takeConnections(take: (fd: number) => void, closed?: () => void): void {
    if (this.#handle < 0) throw closedError();
    if (this.#take !== undefined || this.#waiters.length > 0) {
      throw new TypeError("somebody takes this listener's connections already");
    }
    this.#take = take;
    this.#closed = closed;
    for (const fd of this.#early.splice(0)) take(fd);
    this.#begin();
    this.#hold();
  }

  /** Ends `takeConnections`; connections wait in the kernel's queue from here on. @internal */
  stopAccepting(): void {
    if (this.#handle < 0 || this.#take === undefined) return;
    this.#take = undefined;
    this.#pause();
    this.#hold();
  }

  /** Clients wait, for lack of descriptors or memory. Those that leave meanwhile are noticed. @internal */
  get lacking(): boolean {
    if (this.feed !== undefined) return this.#handle >= 0 && this.feed.lacking;
    return this.#lacking && this.#handle >= 0 && this.#runtime.poller.stalled > 0;
  }

  /**
   * From here on connections come with their client's first bytes, or after a second without (`deferred.ts`). Of a socket
   * that others have as well it is theirs to say. False where they come at once. @internal
   */
  deferAccept(): boolean {
    if (!this.#tcp || this.feed !== undefined || this.#handle < 0) return false;
    const { system } = this.#runtime.poller;
    return this.#sole ? deferAccept(system, this.fd, DEFER_S) : isDeferring(system, this.fd);
  }

  /** Between the two, connections wait in the kernel's queue; `takeConnections` goes on behind. @internal */
  pauseConnections(): void {
    if (this.#handle >= 0) this.#pause();
  }
  resumeConnections(): void {
    if (this.#handle >= 0 && this.#take !== undefined) this.#begin();
  }

  /** Takes what waits now, `most` at the most: for who has descriptors only for this moment. @internal */
  takeNow(most: number): void {
    const { system } = this.#runtime.poller;
    if (this.feed !== undefined) return;
    while (most-- > 0 && this.#handle >= 0 && this.#take !== undefined) {
      const fd = system.accept(this.#runtime.poller.fd(this.#handle));
      if (fd < 0) return; // the poller tries again, and knows what to do with it
      this.#accepted(fd);
    }
  }

  /**
   * Takes what has already connected, before a graceful end: closing the listener would reset those clients, whose
   * requests may be on their way. No more connections begin from here on, if the socket is ours alone; those that have
   * begun are complete after some 20 µs on one machine, while it is asked again. False when some still wait: for lack of
   * descriptors or memory, or since they have said nothing yet (`deferAccept`). @internal
   */
  takeWaiting(): boolean {
    const { system, constants } = this.#runtime.poller;
    const { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno;
    // Who waits in the queue of a socket that lives on is the next version's: ours must not answer after it has begun to.
    if (this.#handle < 0 || socketsLiveOn()) return true;
    if (this.feed !== undefined) return this.feed.takeWaiting();
    if (this.#tcp && this.#sole) turnAway(system, this.#runtime.poller.fd(this.#handle));
    const deferred = this.#tcp && this.#sole && this.#endDeferring();
    for (let taken = 0, empty = 0; taken < MAX_QUEUE && this.#handle >= 0 && this.#take !== undefined; ) {
      const fd = system.accept(this.#runtime.poller.fd(this.#handle));
      if (fd >= 0) {
        taken++;
        empty = 0;
        this.#accepted(fd);
      } else if (fd === -EMFILE || fd === -ENFILE || fd === -ENOBUFS || fd === -ENOMEM) return false;
      else if (fd === -EAGAIN && ++empty > LOOKS_AT_EMPTY) return !deferred;
      else if (fd !== -EAGAIN) taken++; // a connection that is gone, or EINTR: bounded all the same
    }
    return true;
  }

  /** Whether clients that were deferred may still come. */
  #endDeferring(): boolean {
    const { system, openCount } = this.#runtime.poller;
    const now = monotonicNow();
    if (isDeferring(system, this.fd)) {
      deferAccept(system, this.fd, 0);
      this.#deferredUntil = now + DEFERRED_MS;
    }
    if (now >= this.#deferredUntil) return false;
    if (now - this.#lookedForDeferred < LOOK_FOR_DEFERRED_MS) return true;
    this.#lookedForDeferred = now;
    if (handshakesOn((this.addr as NetAddr).port, openCount)) return true;
    this.#deferredUntil = 0;
    return false;
  }

  #begin(): void {
    if (this.feed === undefined) this.#runtime.poller.accept(this.#handle);
    else this.feed.accept((fd) => this.#accepted(fd));
  }

  #pause(): void {
    if (this.feed === undefined) this.#runtime.poller.pause(this.#handle);
    else this.feed.pause();
  }

  #open(fd: number): C {
    return (this.opener?.open(this.#runtime, fd) ?? openConn(this.#runtime, fd, this.#tcp)) as unknown as C;
  }

  #hold(): void {
    const wanted = this.#referenced && this.#handle >= 0 && (this.#waiters.length > 0 || this.#take !== undefined);
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#runtime.hold();
    else this.#runtime.release();
  }

  #accepted(fd: number): void {
    this.#lacking = false;
    if (this.#take !== undefined) {
      try {
        this.#take(fd);
      } catch (error) {
        logError(`a connection accepted on ${showAddress(this.addr)} was lost`, error);
      }
    } else this.#toWaiter(fd);
  }

  #toWaiter(fd: number): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#early.push(fd);
      return;
    }
    if (this.#waiters.length === 0) {
      this.#pause();
      this.#hold();
    }
    waiter.resolve(fd);
  }

  #failed(errno: number): void {
    const { constants, openCount } = this.#runtime.poller;
    const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno;
    const where = `accept on ${showAddress(this.addr)}`;
    if (errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM) {
      this.#lacking = true;
      if (this.starved !== undefined) return this.starved();
      const now = monotonicNow();
      if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
      this.#complainedAt = now;
      const cure =
        errno === EMFILE
          ? 'raise the limit with "ulimit -n" (systemd: LimitNOFILE=)'
          : errno === ENFILE
            ? "raise the system's limit with sysctl fs.file-max"
            : "the system is short of memory";
      const { message } = errnoError(constants, errno, where);
      logLine(`${message}; ${openCount} sockets are open: ${cure}; accepting goes on as connections close`);
      return;
    }
    const error = errnoError(constants, errno, where);
    if (this.#take !== undefined) logLine(`${error.message}; no more connections are accepted there`);
    const waiters = this.#waiters.splice(0);
    this.close();
    for (const waiter of waiters) waiter.reject(error);
  }

  #sink(): Sink {
    const nothing = (): void => {};
    return {
      accepted: (_listener, fd) => this.#accepted(fd),
      failed: (_listener, errno) => this.#failed(errno),
      connected: nothing,
      received: nothing,
      datagram: nothing,
      sent: nothing,
      ended: nothing,
      hungUp: nothing,
      expired: nothing,
    };
  }
}

function closedError(): BadResource {
  return new BadResource("Listener has been closed");
}

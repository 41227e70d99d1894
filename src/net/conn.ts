/**
 * Connections, in Deno's shape, with Go's deadlines.
 *
 * What costs a parked connection memory is kept out of it: the poller tells one sink for all connections of a thread
 * (`ConnTable`), addresses are kept as the kernel's few bytes, streams are made when touched, and there is no buffer:
 * bytes go from the poller's lent memory straight into the reader's. Only what does not fit there is kept, in a copy of
 * just that size, and nothing is received while nobody reads.
 */
import type { Constants } from "../../ffi/constants.ts";
import { type Handle, SENT, type Sink } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { BrokenPipe } from "../runtime/errors.ts";
import { type Addr, showAddress, unpackAddress } from "./address.ts";
import { closedError, interruptedError, monotonicDeadline, timedOut } from "./conn_errors.ts";
import { ConnStreams } from "./conn_streams.ts";
import type { ConnTable } from "./conn_table.ts";
import { dequeue, enqueue, type Link } from "./pending.ts";
import { setInt } from "./socket_options.ts";

/** Waits for bytes: into `buffer`, or, for the readable stream, as a chunk of its own. */
interface PendingRead extends Link<PendingRead> {
  readonly buffer: Uint8Array | undefined;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** Waits for `bytes` to be with the kernel, `at` of them having been given to the poller; without bytes: for FIN. */
interface PendingWrite extends Link<PendingWrite> {
  readonly bytes: Uint8Array | undefined;
  at: number;
  readonly resolve: (count: never) => void;
  readonly reject: (error: Error) => void;
}

/*
 * Bits of `#state`.
 *   ENDED         the read side is over: FIN, or with `#errno` a failure
 *   SHUT          closeWrite was called
 *   SENDING       the poller keeps bytes of ours; it will tell `sent`
 *   UNREFERENCED  the user called unref
 *   HOLDING       the process is held alive, since an operation waits
 */
const ENDED = 1;
const SHUT = 2;
const SENDING = 4;
const UNREFERENCED = 8;
const HOLDING = 16;

/** A larger write goes to the poller in pieces: what it must copy when the socket is full stays small. */
const PIECE = 256 * 1024;

// For src/net only: what other modules here need of a connection that is nobody else's business.
/** Ends a connection whose bytes should arrive: see linger.ts. */
export let closeGently: (conn: Conn) => void;
export let setOption: (conn: Conn, choose: (constants: Constants) => readonly [number, number], value: number) => void;
export let sinkOf: (conns: ConnTable["conns"]) => Sink;

/** A connection. Made by `connect` and `Listener.accept`. */
export class Conn<A extends Addr = Addr> implements Disposable {
  readonly #table: ConnTable;
  /** -1 when closed. */
  #handle: Handle;
  #state = 0;
  #reads: PendingRead | undefined;
  #writes: PendingWrite | undefined;
  /** What came beyond the reader's buffer, from `#keptAt` on. */
  #kept: Uint8Array<ArrayBuffer> | undefined;
  #keptAt = 0;
  /** Why the connection broke, told to readers once they have everything that came before; and why sending broke. */
  #errno = 0;
  #sendErrno = 0;
  /** On the monotonic clock; 0 for none. */
  #readDeadline = 0;
  #writeDeadline = 0;
  readonly #local: string;
  readonly #remote: string;
  #streams: ConnStreams | undefined;

  /** @internal Use `connect` or `Listener.accept`. `remote` and `kept`: what a proxy's header said, and came behind it. */
  constructor(table: ConnTable, handle: Handle, remote?: string, kept?: Uint8Array<ArrayBuffer>) {
    this.#table = table;
    this.#handle = handle;
    // Both now: after a reset the kernel no longer knows the peer, after a close nothing.
    this.#local = table.localAddress(handle);
    this.#remote = remote ?? table.remoteAddress(handle);
    this.#kept = kept;
    table.conns[handle] = this;
  }

  /** This side's address; still known after `close`. */
  get localAddr(): A {
    return unpackAddress(this.#table.runtime.poller.constants, this.#local) as A;
  }

  /** The peer's address; still known after `close`. A Unix client's is usually unnamed: its path is "". */
  get remoteAddr(): A {
    return unpackAddress(this.#table.runtime.poller.constants, this.#remote) as A;
  }

  /**
   * Waits for bytes and puts them into `p`; the number of bytes, or null at the end. It keeps no hold on `p`. Several
   * reads are served in the order of the calls.
   *
   * Fails with `BadResource` on a closed connection, with `Interrupted` when `close` comes meanwhile, with `TimedOut`
   * at the deadline, with `ConnectionReset` when the peer reset the connection. A read into no bytes gives 0 at once.
   */
  read(p: Uint8Array): Promise<number | null> {
    if (!(p instanceof Uint8Array)) return Promise.reject(new TypeError("read takes a Uint8Array to fill"));
    const refused = this.#readRefused();
    if (refused !== undefined) return Promise.reject(refused);
    if (p.length === 0) return Promise.resolve(0);
    if (this.#kept !== undefined) return Promise.resolve(this.#takeKept(p));
    if (this.#state & ENDED) return this.#errno === 0 ? Promise.resolve(null) : Promise.reject(this.#readError());
    return new Promise((resolve, reject) => this.#waitRead(p, resolve, reject));
  }

  /**
   * Writes all of `p`, which must not be changed until then; the number of bytes. Several writes go out in the order of
   * the calls, none inside another. It ends when the kernel has the bytes: that is no word from the peer.
   *
   * Fails with `BadResource` on a closed connection, with `BrokenPipe` after `closeWrite` and when the peer is gone,
   * with `ConnectionReset` when it reset the connection, with `Interrupted` when `close` comes meanwhile, and with
   * `TimedOut` at the deadline: then some of the bytes may have gone.
   */
  write(p: Uint8Array): Promise<number> {
    if (!(p instanceof Uint8Array)) return Promise.reject(new TypeError("write takes a Uint8Array"));
    const refused = this.#writeRefused();
    if (refused !== undefined) return Promise.reject(refused);
    let at = 0;
    if (this.#writes === undefined && (this.#state & SENDING) === 0) {
      at = this.#give(p, 0);
      if (at < 0) return Promise.reject(this.#writeError());
      if (at === p.length && (this.#state & SENDING) === 0) return Promise.resolve(at);
    }
    return new Promise((resolve, reject) => this.#waitWrite(p, at, resolve, reject));
  }

  /** Says to the peer that nothing more comes (FIN), once all writes before have gone. Reading goes on. */
  closeWrite(): Promise<void> {
    if (this.#handle < 0) return Promise.reject(closedError());
    if (this.#state & SHUT) return Promise.resolve();
    if (this.#writeDeadline !== 0 && this.#writeDeadline <= monotonicNow())
      return Promise.reject(timedOut("closeWrite"));
    this.#state |= SHUT;
    if (this.#writes === undefined && (this.#state & SENDING) === 0) {
      this.#table.runtime.poller.shutdown(this.#handle);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => this.#waitWrite(undefined, 0, resolve, reject));
  }

  /**
   * Closes the connection. Operations that wait fail with `Interrupted`, and what an unawaited write still had to send is
   * dropped. As close(2) does, it resets the connection if bytes of the peer's lie unread. A second call does nothing.
   */
  close(): void {
    const handle = this.#release();
    if (handle >= 0) this.#table.close(handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Both deadlines. See `setReadDeadline`. */
  setDeadline(deadline: Date | number | null): void {
    const at = monotonicDeadline(deadline);
    this.#readDeadline = at;
    this.#writeDeadline = at;
    this.#deadlineChanged();
  }

  /**
   * When reads fail with `TimedOut`, those that wait and all to come, until it is set anew: a moment, as a Date or as
   * `Date.now()` counts, or null for never. The connection stays usable.
   *
   * ```ts
   * import { connect, listen } from "slipway";
   * using listener = listen({ port: 0, hostname: "127.0.0.1" });
   * using conn = await connect({ port: listener.addr.port });
   * conn.setReadDeadline(Date.now() + 20);
   * await conn.read(new Uint8Array(10)).catch((error) => console.log(error.name)); // TimedOut
   * ```
   */
  setReadDeadline(deadline: Date | number | null): void {
    this.#readDeadline = monotonicDeadline(deadline);
    this.#deadlineChanged();
  }

  /** When writes fail with `TimedOut`. See `setReadDeadline`. */
  setWriteDeadline(deadline: Date | number | null): void {
    this.#writeDeadline = monotonicDeadline(deadline);
    this.#deadlineChanged();
  }

  /** Lets operations that wait keep the process alive, as they do by default. */
  ref(): void {
    this.#state &= ~UNREFERENCED;
    this.#hold();
  }

  /** Lets the process end although operations wait. */
  unref(): void {
    this.#state |= UNREFERENCED;
    this.#hold();
  }

  /**
   * What comes, as a byte stream; a chunk is read only when somebody asks for one. When both streams were used and are
   * done, the connection closes by itself; with one of them only, `close` is the user's.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#both.readable;
  }

  /** What goes out, as a stream. Closing it is `closeWrite`, aborting it closes the connection. */
  get writable(): WritableStream<Uint8Array> {
    return this.#both.writable;
  }

  get #both(): ConnStreams {
    return (this.#streams ??= new ConnStreams(this, {
      readChunk: () => this.#readChunk(),
      cancelReads: () => this.#failReads(() => interruptedError("the readable stream was cancelled")),
    }));
  }

  #readChunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    const refused = this.#readRefused();
    if (refused !== undefined) return Promise.reject(refused);
    if (this.#kept !== undefined) {
      const chunk = this.#keptAt === 0 ? this.#kept : this.#kept.slice(this.#keptAt);
      this.#kept = undefined;
      return Promise.resolve(chunk);
    }
    if (this.#state & ENDED) return this.#errno === 0 ? Promise.resolve(null) : Promise.reject(this.#readError());
    return new Promise((resolve, reject) => this.#waitRead(undefined, resolve, reject));
  }

  #readRefused(): Error | undefined {
    if (this.#handle < 0) return closedError();
    if (this.#readDeadline !== 0 && this.#readDeadline <= monotonicNow()) return timedOut("read");
    return undefined;
  }

  #writeRefused(): Error | undefined {
    if (this.#handle < 0) return closedError();
    if (this.#state & SHUT) return new BrokenPipe("the write side has been closed by closeWrite");
    if (this.#sendErrno !== 0) return this.#writeError();
    if (this.#writeDeadline !== 0 && this.#writeDeadline <= monotonicNow()) return timedOut("write");
    return undefined;
  }

  #takeKept(p: Uint8Array): number {
    const kept = this.#kept as Uint8Array<ArrayBuffer>;
    const n = Math.min(p.length, kept.length - this.#keptAt);
    p.set(kept.subarray(this.#keptAt, this.#keptAt + n));
    this.#keptAt += n;
    if (this.#keptAt === kept.length) this.#kept = undefined;
    return n;
  }

  #waitRead(buffer: Uint8Array | undefined, resolve: (result: never) => void, reject: (error: Error) => void): void {
    const first = this.#reads === undefined;
    this.#reads = enqueue(this.#reads, { buffer, resolve, reject, next: undefined, last: undefined });
    if (!first) return;
    this.#table.runtime.poller.receive(this.#handle);
    this.#hold();
  }

  #waitWrite(
    bytes: Uint8Array | undefined,
    at: number,
    resolve: (count: never) => void,
    reject: (error: Error) => void,
  ): void {
    this.#writes = enqueue(this.#writes, { bytes, at, resolve, reject, next: undefined, last: undefined });
    this.#hold();
  }

  /** Gives `bytes` from `at` on to the poller until it has to wait. How far it came, or -1 when sending broke. */
  #give(bytes: Uint8Array, at: number): number {
    const { poller } = this.#table.runtime;
    while (at < bytes.length) {
      const end = Math.min(bytes.length, at + PIECE);
      const result = poller.send(this.#handle, bytes, at, end);
      if (result < 0) {
        this.#sendBroke(-result);
        return -1;
      }
      at = end;
      if (result !== SENT) {
        this.#state |= SENDING;
        break;
      }
    }
    return at;
  }

  #sendBroke(errno: number): void {
    this.#state &= ~SENDING;
    this.#sendErrno = errno;
    // The kernel tells a reset once, to whoever asks first; the reader would see a clean end otherwise. EPIPE is told of
    // an end that is known already, so it says nothing about what came in.
    if (errno !== this.#table.runtime.poller.constants.errno.EPIPE) this.#errno = errno;
  }

  #onReceived(bytes: Uint8Array, start: number, end: number): void {
    let read = this.#reads;
    while (read !== undefined && start < end) {
      if (read.buffer === undefined) {
        (read.resolve as (chunk: Uint8Array) => void)(bytes.slice(start, end));
        start = end;
      } else {
        // A buffer that was transferred away meanwhile has length 0, and setting even nothing in it throws.
        const n = Math.min(read.buffer.length, end - start);
        if (n > 0) read.buffer.set(bytes.subarray(start, start + n));
        (read.resolve as (count: number) => void)(n);
        start += n;
      }
      read = dequeue(read);
    }
    this.#reads = read;
    if (start < end) this.#keep(bytes, start, end);
    if (read === undefined) this.#readsDone();
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.#kept === undefined) {
      this.#kept = bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    } else {
      const left = this.#kept.length - this.#keptAt;
      const joined = new Uint8Array(left + end - start);
      joined.set(this.#kept.subarray(this.#keptAt));
      joined.set(bytes.subarray(start, end), left);
      this.#kept = joined;
    }
    this.#keptAt = 0;
  }

  #readsDone(): void {
    this.#table.runtime.poller.pause(this.#handle);
    this.#hold();
  }

  #onEnded(): void {
    this.#state |= ENDED;
    if (this.#errno !== 0) return this.#failReads(() => this.#readError());
    for (let read = this.#reads; read !== undefined; read = dequeue(read)) (read.resolve as (end: null) => void)(null);
    this.#reads = undefined;
    this.#hold();
  }

  #onSent(): void {
    this.#state &= ~SENDING;
    let write = this.#writes;
    while (write !== undefined) {
      if (write.bytes === undefined) {
        this.#table.runtime.poller.shutdown(this.#handle);
      } else {
        write.at = this.#give(write.bytes, write.at);
        if (write.at < 0) return this.#failWrites(() => this.#writeError());
        if (this.#state & SENDING) return;
      }
      (write.resolve as (count: number | undefined) => void)(write.bytes?.length);
      write = dequeue(write);
      this.#writes = write;
    }
    this.#hold();
  }

  /**
   * The poller met an errno while it sent or while it received. While bytes of ours wait, it is the sending: a reset wakes
   * both, and sending is tried first; what came before it can still be read. Otherwise it is the receiving.
   */
  #onFailed(errno: number): void {
    if (this.#state & SENDING) {
      this.#sendBroke(errno);
    } else {
      this.#state |= ENDED;
      this.#errno = errno;
      this.#sendErrno ||= errno;
      this.#failReads(() => this.#readError());
    }
    this.#failWrites(() => this.#writeError());
  }

  #onExpired(): void {
    const now = monotonicNow();
    if (this.#readDeadline !== 0 && this.#readDeadline <= now) this.#failReads(() => timedOut("read"));
    if (this.#writeDeadline !== 0 && this.#writeDeadline <= now) this.#failWrites(() => timedOut("write"));
    this.#armDeadline(now);
  }

  #deadlineChanged(): void {
    if (this.#handle >= 0) this.#onExpired();
  }

  /** The wheel has one number a handle: the nearer one that has not passed. */
  #armDeadline(now: number): void {
    const read = this.#readDeadline > now ? this.#readDeadline : Number.POSITIVE_INFINITY;
    const write = this.#writeDeadline > now ? this.#writeDeadline : Number.POSITIVE_INFINITY;
    const nearest = Math.min(read, write);
    this.#table.runtime.setDeadline(this.#handle, nearest === Number.POSITIVE_INFINITY ? 0 : nearest);
  }

  #failReads(error: () => Error): void {
    const reads = this.#reads;
    if (reads === undefined) return;
    this.#reads = undefined;
    if (this.#handle >= 0) this.#readsDone();
    for (let read: PendingRead | undefined = reads; read !== undefined; read = dequeue(read)) read.reject(error());
  }

  #failWrites(error: () => Error): void {
    const writes = this.#writes;
    if (writes === undefined) return;
    this.#writes = undefined;
    this.#hold();
    for (let write: PendingWrite | undefined = writes; write !== undefined; write = dequeue(write)) {
      // A closeWrite that timed out has not happened: it may be called again.
      if (write.bytes === undefined) this.#state &= ~SHUT;
      write.reject(error());
    }
  }

  #readError(): Error {
    const { constants } = this.#table.runtime.poller;
    return errnoError(constants, this.#errno, `read from ${showAddress(this.remoteAddr)}`);
  }

  #writeError(): Error {
    const { constants } = this.#table.runtime.poller;
    return errnoError(constants, this.#sendErrno, `write to ${showAddress(this.remoteAddr)}`);
  }

  #hold(): void {
    if (this.#handle < 0) return;
    const wanted =
      (this.#state & UNREFERENCED) === 0 && (this.#reads !== undefined || this.#writes !== undefined) ? HOLDING : 0;
    if (wanted === (this.#state & HOLDING)) return;
    this.#state ^= HOLDING;
    if (wanted) this.#table.runtime.hold();
    else this.#table.runtime.release();
  }

  /** Makes the connection a closed one. The handle is the caller's then, and holds the process; -1 if it was closed. */
  #release(): Handle {
    const handle = this.#handle;
    if (handle < 0) return -1;
    if ((this.#state & HOLDING) === 0) this.#table.runtime.hold();
    this.#state &= ~HOLDING;
    this.#handle = -1;
    this.#kept = undefined;
    const interrupted = (): Error => interruptedError("the connection was closed");
    this.#failReads(interrupted);
    this.#failWrites(interrupted);
    return handle;
  }

  static {
    const nothing = (): void => {};
    sinkOf = (conns) => {
      // A closed handle's sink hears nothing more, so there is always one.
      const at = (handle: Handle): Conn => conns[handle] as Conn;
      return {
        received: (handle, bytes, start, end) => at(handle).#onReceived(bytes, start, end),
        ended: (handle) => at(handle).#onEnded(),
        sent: (handle) => at(handle).#onSent(),
        failed: (handle, errno) => at(handle).#onFailed(errno),
        expired: (handle) => at(handle).#onExpired(),
        // Nobody reads: whoever does next finds out, after what came before.
        hungUp: nothing,
        accepted: nothing,
        connected: nothing,
        datagram: nothing,
      };
    };
    closeGently = (conn) => {
      const sending = (conn.#state & SENDING) !== 0;
      const over = (conn.#state & ENDED && !sending) || conn.#errno !== 0 || conn.#sendErrno !== 0;
      const handle = conn.#release();
      if (handle < 0) return;
      if (over) conn.#table.close(handle);
      else conn.#table.linger(handle, sending);
    };
    setOption = (conn, choose, value) => {
      if (conn.#handle < 0) throw closedError();
      const { poller } = conn.#table.runtime;
      const [level, name] = choose(poller.constants);
      const failed = setInt(poller.system, poller.fd(conn.#handle), level, name, value);
      if (failed < 0) throw errnoError(poller.constants, -failed, `setsockopt on ${showAddress(conn.remoteAddr)}`);
    };
  }
}

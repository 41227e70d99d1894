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
import { BrokenPipe, Busy } from "../runtime/errors.ts";
import { type Addr, showAddress, unpackAddress, unpackV4 } from "./address.ts";
import { closedError, interruptedError, monotonicDeadline, timedOut } from "./conn_errors.ts";
import { CHUNK, type EndRead, none, type PendingWrite, Rare } from "./conn_rare.ts";
import { ConnStreams } from "./conn_streams.ts";
import type { ConnTable } from "./conn_table.ts";
import { dequeue, enqueue } from "./pending.ts";
import { setInt } from "./socket_options.ts";

/*
 * Bits of `#state`; above them, from PORT on, the port of an IPv4 peer.
 *   ENDED         the read side is over: FIN, or with `errno` a failure
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
const PORT = 16;

/** A larger write goes to the poller in pieces: what it must copy when the socket is full stays small. */
const PIECE = 256 * 1024;

/** What fits is copied byte by byte: a view to copy it from, of 104 bytes, would cost more. */
const SMALL = 64;

const NOTHING = new Uint8Array(0);

// A promise's executor runs at once, so one serves all reads: a closure for each would be 96 bytes of garbage.
let keptEnd: EndRead;
const keepEnd = (end: (result: never) => void): void => {
  keptEnd = end as EndRead;
};

// For src/net only: what other modules here need of a connection that is nobody else's business.
/** Ends a connection whose bytes should arrive: see linger.ts. */
export let closeGently: (conn: Conn) => void;
export let setOption: (conn: Conn, choose: (constants: Constants) => readonly [number, number], value: number) => void;
export let sinkOf: (conns: ConnTable["conns"]) => Sink;
/** For a layer over connections (src/tls): nothing is sent before `unlock`, which must come by this moment. */
export let lock: (conn: Conn) => void;
export let unlockBy: (conn: Conn, deadline: number, late: () => void) => void;
export let unlock: (conn: Conn) => void;
/** `closeWrite` was called, and `close` was not. */
export let isShut: (conn: Conn) => boolean;
/** Resolves when what was written before has gone. */
export let flushed: (conn: Conn) => Promise<void>;
/** Everything fails with this from here on, once what came before has been read. */
export let breakOff: (conn: Conn, error: () => Error) => void;
/** Takes the handle of a connection that nobody uses: it is a closed one from here on. Throws where somebody does. */
export let takeHandle: (conn: Conn) => { handle: Handle; kept: Uint8Array<ArrayBuffer> | undefined };
export let handleOf: (conn: Conn) => Handle;

/** A connection. Made by `connect` and `Listener.accept`. */
export class Conn<A extends Addr = Addr> implements Disposable {
  readonly #table: ConnTable;
  /** -1 when closed. */
  #handle: Handle;
  #state = 0;
  /** The read that waits, or the first of several: its buffer and how it is ended; undefined both when none does. */
  #buffer: Uint8Array | undefined;
  #endRead: EndRead | undefined;
  readonly #local: string;
  /** The four bytes of an IPv4 peer as a number, which needs no memory beside the field; other addresses packed. */
  readonly #remote: number | string;
  #rare: Readonly<Rare> = none;

  /** @internal Use `connect` or `Listener.accept`. `remote` and `kept`: what a proxy's header said, and came behind it. */
  constructor(table: ConnTable, handle: Handle, remote?: string, kept?: Uint8Array<ArrayBuffer>) {
    this.#table = table;
    this.#handle = handle;
    // Both now: after a reset the kernel no longer knows the peer, after a close nothing.
    this.#local = table.localAddress(handle);
    this.#remote = remote ?? table.remoteAddress(handle);
    if (typeof this.#remote === "number") this.#state = table.remotePort << PORT;
    if (kept !== undefined) this.#own().kept = kept;
    table.conns[handle] = this;
  }

  /** This side's address; still known after `close`. */
  get localAddr(): A {
    return unpackAddress(this.#table.runtime.poller.constants, this.#local) as A;
  }

  /** The peer's address; still known after `close`. A Unix client's is usually unnamed: its path is "". */
  get remoteAddr(): A {
    const remote = this.#remote;
    if (typeof remote === "number") return unpackV4(remote, this.#state >>> PORT) as A;
    return unpackAddress(this.#table.runtime.poller.constants, remote) as A;
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
    if (this.#rare.kept !== undefined) return Promise.resolve(this.#takeKept(p));
    if (this.#state & ENDED) return this.#rare.errno === 0 ? Promise.resolve(null) : Promise.reject(this.#readError());
    const read = new Promise<number | null>(keepEnd);
    this.#waitRead(p, keptEnd);
    return read;
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
    if (this.#rare.writes === undefined && (this.#state & SENDING) === 0) {
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
    const { writeDeadline } = this.#rare;
    if (writeDeadline !== 0 && writeDeadline <= monotonicNow()) return Promise.reject(timedOut("closeWrite"));
    this.#state |= SHUT;
    if (this.#rare.writes === undefined && (this.#state & SENDING) === 0) {
      this.#table.transport.shutdown(this.#handle);
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
    this.#setDeadlines(at, at);
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
    this.#setDeadlines(monotonicDeadline(deadline), this.#rare.writeDeadline);
  }

  /** When writes fail with `TimedOut`. See `setReadDeadline`. */
  setWriteDeadline(deadline: Date | number | null): void {
    this.#setDeadlines(this.#rare.readDeadline, monotonicDeadline(deadline));
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
   * What comes, as a byte stream; a chunk is read only when somebody asks for one. Cancelling it closes the connection.
   * When both streams were used and are done, the connection closes by itself; with one of them only, `close` is the
   * user's.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#both.readable;
  }

  /** What goes out, as a stream. Closing it is `closeWrite`, aborting it closes the connection. */
  get writable(): WritableStream<Uint8Array> {
    return this.#both.writable;
  }

  get #both(): ConnStreams {
    return (this.#own().streams ??= new ConnStreams(this, { readChunk: () => this.#readChunk() }));
  }

  /** To be changed. */
  #own(): Rare {
    if (this.#rare === none) this.#rare = new Rare();
    return this.#rare as Rare;
  }

  /** Lets go of what is of no use any more. */
  #tidy(): void {
    if (this.#rare.idle) this.#rare = none;
  }

  #readChunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    const refused = this.#readRefused();
    if (refused !== undefined) return Promise.reject(refused);
    if (this.#rare.kept !== undefined) return Promise.resolve(this.#own().takeAll() ?? null);
    if (this.#state & ENDED) return this.#rare.errno === 0 ? Promise.resolve(null) : Promise.reject(this.#readError());
    const read = new Promise<Uint8Array<ArrayBuffer> | null>(keepEnd);
    this.#waitRead(CHUNK, keptEnd);
    return read;
  }

  #readRefused(): Error | undefined {
    if (this.#handle < 0) return closedError();
    const { readDeadline } = this.#rare;
    if (readDeadline !== 0 && readDeadline <= monotonicNow()) return timedOut("read");
    return undefined;
  }

  #writeRefused(): Error | undefined {
    if (this.#handle < 0) return closedError();
    if (this.#state & SHUT) return new BrokenPipe("the write side has been closed by closeWrite");
    const { sendErrno, writeDeadline } = this.#rare;
    if (sendErrno !== 0) return this.#writeError();
    if (writeDeadline !== 0 && writeDeadline <= monotonicNow()) return timedOut("write");
    return undefined;
  }

  #takeKept(p: Uint8Array): number {
    const n = this.#own().take(p);
    this.#tidy();
    return n;
  }

  #waitRead(buffer: Uint8Array, end: EndRead): void {
    if (this.#endRead !== undefined) {
      const rare = this.#own();
      rare.reads = enqueue(rare.reads, { buffer, end, next: undefined, last: undefined });
      return;
    }
    this.#buffer = buffer;
    this.#endRead = end;
    this.#table.transport.receive(this.#handle);
    this.#hold();
  }

  /** The read behind the one that has ended, if there is one, is the first now. */
  #nextRead(): void {
    const next = this.#rare.reads;
    this.#buffer = next?.buffer;
    this.#endRead = next?.end;
    if (next === undefined) return;
    this.#own().reads = dequeue(next);
    this.#tidy();
  }

  #waitWrite(
    bytes: Uint8Array | undefined,
    at: number,
    resolve: (count: never) => void,
    reject: (error: Error) => void,
  ): void {
    const rare = this.#own();
    rare.writes = enqueue(rare.writes, { bytes, at, resolve, reject, next: undefined, last: undefined });
    this.#hold();
  }

  /** Gives `bytes` from `at` on to the poller until it has to wait. How far it came, or -1 when sending broke. */
  #give(bytes: Uint8Array, at: number): number {
    const { transport } = this.#table;
    while (at < bytes.length) {
      const end = Math.min(bytes.length, at + PIECE);
      const result = transport.send(this.#handle, bytes, at, end);
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
    const rare = this.#own();
    rare.sendErrno = errno;
    // The kernel tells a reset once, to whoever asks first; the reader would see a clean end otherwise. EPIPE is told of
    // an end that is known already, so it says nothing about what came in.
    if (errno !== this.#table.runtime.poller.constants.errno.EPIPE) rare.errno = errno;
  }

  #onReceived(bytes: Uint8Array, start: number, end: number): void {
    while (this.#endRead !== undefined && start < end) {
      const endRead = this.#endRead;
      const buffer = this.#buffer as Uint8Array;
      if (buffer === CHUNK) {
        endRead(bytes.slice(start, end));
        start = end;
      } else {
        // A buffer that was transferred away meanwhile has length 0, and setting even nothing in it throws.
        const n = Math.min(buffer.length, end - start);
        if (n > SMALL) buffer.set(bytes.subarray(start, start + n));
        else for (let i = 0; i < n; i++) buffer[i] = bytes[start + i];
        endRead(n);
        start += n;
      }
      this.#nextRead();
    }
    if (start < end) this.#own().keep(bytes, start, end);
    if (this.#endRead === undefined) this.#readsDone();
  }

  #readsDone(): void {
    this.#table.transport.pause(this.#handle);
    this.#hold();
  }

  #onEnded(): void {
    this.#state |= ENDED;
    if (this.#rare.errno !== 0) return this.#failReads(() => this.#readError());
    for (; this.#endRead !== undefined; this.#nextRead()) this.#endRead(null);
    this.#hold();
  }

  #onSent(): void {
    this.#state &= ~SENDING;
    let write = this.#rare.writes;
    while (write !== undefined) {
      if (write.bytes === undefined) {
        this.#table.transport.shutdown(this.#handle);
      } else {
        write.at = this.#give(write.bytes, write.at);
        if (write.at < 0) return this.#failWrites(() => this.#writeError());
        if (this.#state & SENDING) return;
      }
      (write.resolve as (count: number | undefined) => void)(write.bytes?.length);
      write = dequeue(write);
      this.#own().writes = write;
    }
    this.#tidy();
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
      const rare = this.#own();
      rare.errno = errno;
      rare.sendErrno ||= errno;
      this.#failReads(() => this.#readError());
    }
    this.#failWrites(() => this.#writeError());
  }

  #onExpired(): void {
    const now = monotonicNow();
    const { readDeadline, writeDeadline, lockDeadline } = this.#rare;
    if (lockDeadline !== 0 && lockDeadline <= now) {
      this.#own().lockDeadline = 0;
      this.#rare.late?.();
    }
    if (readDeadline !== 0 && readDeadline <= now) this.#failReads(() => timedOut("read"));
    if (writeDeadline !== 0 && writeDeadline <= now) this.#failWrites(() => timedOut("write"));
    this.#armDeadline(now);
  }

  #setDeadlines(read: number, write: number): void {
    if (this.#rare === none && read === 0 && write === 0) return;
    const rare = this.#own();
    rare.readDeadline = read;
    rare.writeDeadline = write;
    if (this.#handle >= 0) this.#onExpired();
    this.#tidy();
  }

  /** The wheel has one number a handle: the nearer one that has not passed. */
  #armDeadline(now: number): void {
    const { readDeadline, writeDeadline, lockDeadline } = this.#rare;
    const read = readDeadline > now ? readDeadline : Number.POSITIVE_INFINITY;
    const write = writeDeadline > now ? writeDeadline : Number.POSITIVE_INFINITY;
    const nearest = Math.min(read, write, lockDeadline || Number.POSITIVE_INFINITY);
    this.#table.runtime.setDeadline(this.#handle, nearest === Number.POSITIVE_INFINITY ? 0 : nearest);
  }

  #failReads(error: () => Error): void {
    if (this.#endRead === undefined) return;
    // All of them first: nobody who is told may find one of them here.
    let read: EndRead | undefined = this.#endRead;
    let behind = this.#rare.reads;
    this.#buffer = undefined;
    this.#endRead = undefined;
    if (behind !== undefined) this.#own().reads = undefined;
    if (this.#handle >= 0) this.#readsDone();
    for (; read !== undefined; read = behind?.end, behind = behind && dequeue(behind)) read(Promise.reject(error()));
  }

  #failWrites(error: () => Error): void {
    const { writes } = this.#rare;
    if (writes === undefined) return;
    this.#own().writes = undefined;
    this.#hold();
    for (let write: PendingWrite | undefined = writes; write !== undefined; write = dequeue(write)) {
      // A closeWrite that timed out has not happened: it may be called again.
      if (write.bytes === undefined) this.#state &= ~SHUT;
      write.reject(error());
    }
  }

  #breakOff(error: () => Error): void {
    const { EPROTO } = this.#table.runtime.poller.constants.errno;
    this.#state = (this.#state | ENDED) & ~SENDING;
    const rare = this.#own();
    rare.failure ??= error;
    rare.errno ||= EPROTO;
    rare.sendErrno ||= EPROTO;
    rare.lockDeadline = 0;
    this.#failReads(() => this.#readError());
    this.#failWrites(() => this.#writeError());
  }

  #readError(): Error {
    if (this.#rare.failure !== undefined) return this.#rare.failure();
    const { constants } = this.#table.runtime.poller;
    return errnoError(constants, this.#rare.errno, `read from ${showAddress(this.remoteAddr)}`);
  }

  #writeError(): Error {
    if (this.#rare.failure !== undefined) return this.#rare.failure();
    const { constants } = this.#table.runtime.poller;
    return errnoError(constants, this.#rare.sendErrno, `write to ${showAddress(this.remoteAddr)}`);
  }

  #hold(): void {
    if (this.#handle < 0) return;
    const waits = this.#endRead !== undefined || this.#rare.writes !== undefined;
    const wanted = waits && (this.#state & UNREFERENCED) === 0 ? HOLDING : 0;
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
    if (this.#rare.kept !== undefined) this.#own().kept = undefined;
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
        blocked(handle) {
          at(handle).#state |= SENDING;
        },
        // Nobody reads: whoever does next finds out, after what came before.
        hungUp: nothing,
        accepted: nothing,
        connected: nothing,
        datagram: nothing,
      };
    };
    lock = (conn) => {
      conn.#state |= SENDING;
    };
    unlockBy = (conn, deadline, late) => {
      const rare = conn.#own();
      rare.lockDeadline = deadline;
      rare.late = late;
      conn.#armDeadline(monotonicNow());
    };
    unlock = (conn) => {
      if (conn.#rare.lockDeadline !== 0) {
        const rare = conn.#own();
        rare.lockDeadline = 0;
        rare.late = undefined;
        conn.#armDeadline(monotonicNow());
      }
      if (!conn.#table.blocked(conn.#handle)) conn.#onSent();
    };
    flushed = (conn) => {
      const refused = conn.#handle < 0 ? closedError() : conn.#rare.sendErrno !== 0 ? conn.#writeError() : undefined;
      if (refused !== undefined) return Promise.reject(refused);
      if ((conn.#state & SENDING) === 0) return Promise.resolve();
      const { writeDeadline } = conn.#rare;
      if (writeDeadline !== 0 && writeDeadline <= monotonicNow()) return Promise.reject(timedOut("write"));
      return new Promise<unknown>((resolve, reject) => conn.#waitWrite(NOTHING, 0, resolve, reject)).then(() => {});
    };
    isShut = (conn) => conn.#handle >= 0 && (conn.#state & SHUT) !== 0;
    breakOff = (conn, error) => conn.#breakOff(error);
    handleOf = (conn) => conn.#handle;
    takeHandle = (conn) => {
      const handle = conn.#handle;
      if (handle < 0) throw closedError();
      const { writes, streams, kept, keptAt } = conn.#rare;
      if (
        conn.#endRead !== undefined ||
        writes !== undefined ||
        conn.#state & (SENDING | SHUT) ||
        streams !== undefined
      ) {
        throw new Busy("the connection is in use: a read or write of it waits, or it has streams or an end");
      }
      const taken = { handle, kept: keptAt === 0 ? kept : kept?.slice(keptAt) };
      conn.#table.runtime.setDeadline(handle, 0);
      conn.#release();
      conn.#table.conns[handle] = undefined;
      return taken;
    };
    closeGently = (conn) => {
      const sending = (conn.#state & SENDING) !== 0;
      const locked = conn.#table.locked(conn.#handle);
      const over = locked || (conn.#state & ENDED && !sending) || conn.#rare.errno !== 0 || conn.#rare.sendErrno !== 0;
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

/**
 * What a connection sends. Control frames and answers that are given at once gather in a batch; bodies follow, frame by
 * frame, as the scheduler says and windows allow; and all of it leaves in as few sends as the poller's outgoing memory
 * takes. When the client does not read, bodies stay where they are, and only control frames wait here, of which there is
 * a bound.
 */
import { type Handle, SENDING, type Transport } from "../../ffi/poller.ts";
import { newBatch, type Outgoing, outgoingBuffer } from "../http/outgoing.ts";
import { freed } from "../net/lent.ts";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEAD,
  FRAME_MAX,
  HEADERS,
  type RST_STREAM,
  type WINDOW_UPDATE,
  writeFrameHead,
  writeUint32,
} from "./frames.ts";
import { MAX_WAITING, MOST_WAITING } from "./limits.ts";
import { blockRoom, fieldListRoom, writeBlock, writeFieldList } from "./response-block.ts";
import { Scheduler } from "./scheduler.ts";
import { BY_CONNECTION, BY_STREAM, type Http2Stream, NOT } from "./stream.ts";

/** What gathers before it is sent. */
const BATCH = 32 * 1024;
/** Batches kept for whoever needs one next: an idle connection holds none. */
const SPARES = 16;
/** What one connection may send before all others get their turn. */
const BURST = 256 * 1024;
/** A table of size 0 (RFC 7541, 6.3). */
const NO_TABLE = 0x20;
/** Not worth a frame of its own while more room comes with the next send. */
const LEAST = 1024;

const spares: Outgoing[] = [];

export interface OutputHost {
  readonly handle: Handle;
  readonly closed: boolean;
  readonly poller: Transport;
  sentBytes(count: number): void;
  frameSent(): void;
  /** All of a response has been given to the kernel. */
  responseSent(stream: Http2Stream): void;
  headTooLarge(stream: Http2Stream): void;
  /** The socket is full: `sent` will follow. */
  socketFull(): void;
  /** A send returned an errno. */
  broken(result: number): void;
  /** More waits for the client than there may. */
  flooded(): void;
}

export class Output {
  readonly scheduler = new Scheduler<Http2Stream>();
  /** What the client lets us send on the whole connection. */
  window = 65_535;
  /** The socket is full. */
  blocked = false;
  /** Bytes of bodies that were sent. */
  dataSent = 0;
  /** The client keeps less of our fields than it did, which the next block must say that it knows (`beginBlock`). */
  tableReduced = false;
  readonly #host: OutputHost;
  #batch: Outgoing | undefined;
  #end = 0;
  #scheduled = false;
  /** Responses whose last bytes wait in the socket. */
  #leaving: Http2Stream[] = [];
  #ended: Http2Stream[] = [];

  constructor(host: OutputHost) {
    this.#host = host;
  }

  /** So much waits that nothing should be read from this client. */
  get full(): boolean {
    return this.blocked && this.#end > MAX_WAITING;
  }

  /** Memory with room for `size` bytes behind `end`. */
  reserve(size: number): Outgoing {
    if (this.#batch !== undefined && this.#end + size > this.#batch.length) {
      if (!this.blocked) this.flush();
      if (this.#end + size > (this.#batch?.length ?? 0)) this.#grow(size);
    }
    return (this.#batch ??= this.#fresh(size));
  }
  get end(): number {
    return this.#end;
  }
  set end(end: number) {
    this.#end = end;
    if (this.blocked && end > MOST_WAITING) this.#host.flooded();
  }

  /** A control frame of one number. */
  frame(type: typeof RST_STREAM | typeof WINDOW_UPDATE, stream: number, value: number): void {
    const out = this.reserve(FRAME_HEAD + 4);
    this.end = writeUint32(out, writeFrameHead(out, this.#end, 4, type, 0, stream), value);
    this.schedule();
  }

  /**
   * Every header block of ours begins here. RFC 9113, 4.3.1: the first behind a reduction of the table begins with a new
   * size, also where nothing was ever put into it; of none, which stays true whatever comes.
   */
  beginBlock(out: Uint8Array, at: number): number {
    if (!this.tableReduced) return at;
    this.tableReduced = false;
    out[at] = NO_TABLE;
    return at + 1;
  }

  /** Sends when the code that runs now, and its microtasks, are done. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#tick);
  }

  readonly #tick = (): void => {
    this.#scheduled = false;
    try {
      this.flush();
    } catch (error) {
      // Ours: nobody else is above us here.
      this.#host.poller.onSinkError(this.#host.handle, error);
    }
  };

  /** Sends what there is, until the socket is full or others should have their turn. */
  flush(): void {
    const host = this.#host;
    let spent = 0;
    while (!this.blocked && !host.closed) {
      const out = freed(outgoingBuffer(host.poller.outgoing));
      let at = this.#end;
      let result: number;
      if (at > out.length) {
        const batch = this.#batch as Outgoing;
        this.#end = 0;
        this.#batch = undefined;
        result = host.poller.send(host.handle, batch, 0, at);
      } else {
        if (at > 0) {
          out.set((this.#batch as Outgoing).subarray(0, at));
          this.#release();
        }
        at = this.#fill(out, at);
        if (at === 0) return;
        result = host.poller.sendOutgoing(host.handle, 0, at);
      }
      host.sentBytes(at);
      spent += at;
      if (result < 0) return host.broken(result);
      if (result === SENDING) {
        this.#leaving.push(...this.#ended.splice(0));
        return this.block();
      }
      this.#tell(this.#ended);
      if (this.scheduler.size === 0 || this.window <= 0) return;
      if (spent >= BURST) {
        setImmediate(this.#tick);
        return;
      }
    }
  }

  /** The socket turned out to be full. */
  block(): void {
    if (this.blocked) return;
    this.blocked = true;
    this.#host.socketFull();
  }

  /** It has room again. */
  unblock(): void {
    this.blocked = false;
    this.#tell(this.#leaving);
    this.flush();
  }

  /** The connection is over. */
  drop(): void {
    this.#release();
    this.#leaving = [];
    this.#ended = [];
  }

  #tell(streams: Http2Stream[]): void {
    if (streams.length === 0) return;
    for (const stream of streams.splice(0)) this.#host.responseSent(stream);
  }

  /** Frames of responses, in the order that the scheduler says. Returns the index behind them. */
  #fill(out: Outgoing, at: number): number {
    const { scheduler } = this;
    for (let stream = scheduler.next(); stream !== undefined; stream = scheduler.next()) {
      const { response, head } = stream;
      if (response === undefined || head === undefined) {
        scheduler.remove(stream);
        continue;
      }
      if (!stream.headSent) {
        const room = blockRoom(head.status, head.type, head.fields) + 4 * FRAME_HEAD;
        if (room > out.length - at) {
          if (at > 0) return at;
          scheduler.remove(stream);
          this.#host.headTooLarge(stream);
          continue;
        }
        at = this.#head(out, at, stream);
      }
      if (response.queued === 0) {
        const { trailers } = stream;
        if (response.ended && !stream.localEnded && trailers !== "waiting") {
          const from = at;
          if (trailers === undefined) {
            if (out.length - at < FRAME_HEAD) return at;
            at = writeFrameHead(out, at, 0, DATA, END_STREAM, stream.id);
          } else {
            if (out.length - at < FRAME_HEAD + 1 + fieldListRoom(trailers)) return at;
            const end = writeFieldList(out, this.beginBlock(out, at + FRAME_HEAD), trailers);
            at = writeFields(out, at, at + FRAME_HEAD, end, stream.id, END_STREAM);
          }
          stream.sending(at - from, 0);
          this.#endOf(stream);
        }
        scheduler.remove(stream);
        continue;
      }
      const room = out.length - at - FRAME_HEAD;
      const wanted = Math.min(FRAME_MAX, response.queued);
      if (room < Math.min(wanted, LEAST)) return at;
      if (this.window <= 0) {
        // Everybody waits, those with a window of their own too.
        for (const other of scheduler) {
          if (other.response !== undefined && other.response.queued > 0) other.windowClosed(BY_CONNECTION);
        }
        return at;
      }
      if (stream.sendWindow <= 0) {
        scheduler.remove(stream);
        stream.windowClosed(BY_STREAM);
        continue;
      }
      const size = Math.min(wanted, room, stream.sendWindow, this.window);
      const last = size === response.queued && response.ended && stream.trailers === undefined;
      at = writeFrameHead(out, at, size, DATA, last ? END_STREAM : 0, stream.id);
      response.take(out, at, size);
      at += size;
      this.window -= size;
      this.dataSent += size;
      stream.sendWindow -= size;
      stream.sending(FRAME_HEAD, size);
      this.#host.frameSent();
      if (stream.blocked !== NOT && (last || stream.sendWindow > 0)) stream.windowOpened();
      if (last) {
        this.#endOf(stream);
        scheduler.remove(stream);
      } else scheduler.sent(stream);
    }
    return at;
  }

  #head(out: Outgoing, from: number, stream: Http2Stream): number {
    const { head, response, exchange } = stream;
    if (head === undefined || response === undefined) return from;
    stream.headSent = true;
    const { status, type, fields } = head;
    // A client that still sends may take a length that it knows for the end of everything: curl 7.88 then tries to go on
    // sending for ever, at full CPU. Without one END_STREAM is the answer's end, and curl's upload goes on to its own.
    const length = stream.remoteEnded ? head.length : -1;
    const empty = response.ended && response.queued === 0 && stream.trailers === undefined;
    const flags = empty ? END_STREAM : 0;
    const at = from + FRAME_HEAD;
    const block = writeBlock(out, this.beginBlock(out, at), status, type, fields, length, exchange.requestId);
    const end = writeFields(out, from, at, block, stream.id, flags);
    stream.sending(end - from, 0);
    if (empty) this.#endOf(stream);
    return end;
  }

  #endOf(stream: Http2Stream): void {
    stream.localEnded = true;
    this.#ended.push(stream);
  }

  #fresh(size: number): Outgoing {
    const spare = size <= BATCH ? spares.pop() : undefined;
    return spare ?? newBatch(Math.max(BATCH, size));
  }

  #grow(size: number): void {
    const before = this.#batch;
    const larger = this.#fresh(Math.max(this.#end * 2, this.#end + size));
    if (before !== undefined) larger.set(before.subarray(0, this.#end));
    this.#batch = larger;
  }

  #release(): void {
    const batch = this.#batch;
    if (batch !== undefined && batch.length === BATCH && spares.length < SPARES) spares.push(batch);
    this.#batch = undefined;
    this.#end = 0;
  }
}

/**
 * Frames the block that stands at `out[at, end)`, whose HEADERS frame begins at `from`, and cuts it where it is longer
 * than a frame (RFC 9113, 6.10). Returns the index behind.
 */
export function writeFields(
  out: Uint8Array,
  from: number,
  at: number,
  end: number,
  stream: number,
  flags: number,
): number {
  if (end - at <= FRAME_MAX) {
    writeFrameHead(out, from, end - at, HEADERS, flags | END_HEADERS, stream);
    return end;
  }
  const more = Math.ceil((end - at) / FRAME_MAX) - 1;
  // From the last piece on, each moves to where the heads before it leave it.
  for (let piece = more; piece > 0; piece--) {
    const start = at + piece * FRAME_MAX;
    const stop = Math.min(end, start + FRAME_MAX);
    const to = start + piece * FRAME_HEAD;
    out.copyWithin(to, start, stop);
    writeFrameHead(out, to - FRAME_HEAD, stop - start, CONTINUATION, piece === more ? END_HEADERS : 0, stream);
  }
  writeFrameHead(out, from, FRAME_MAX, HEADERS, flags, stream);
  return end + more * FRAME_HEAD;
}

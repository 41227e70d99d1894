/**
 * One connection of HTTP/2 (RFC 9113): what its frames say, when it has to say something, and how it ends. A request that
 * comes whole and is answered at once makes no object of ours but the handler's own Request (`streams.ts`); what is sent,
 * and when, is `output.ts`'s.
 */
import type { Handle } from "../../ffi/poller.ts";
import { MAX_TRAILERS } from "../http/chunked.ts";
import { clientGone } from "../http/endings.ts";
import { latin1 } from "../http/exchange.ts";
import { bodyCutShort } from "../http/incoming-body.ts";
import type { ProtocolHost } from "../http/protocol.ts";
import { errnoError } from "../runtime/errno.ts";
import { giveBuffer, takeBuffer } from "../runtime/spare-buffers.ts";
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  errorName,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from "./errors.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  ACK,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  FRAME_HEAD,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PRIORITY_UPDATE,
  PUSH_PROMISE,
  RST_STREAM,
  readUint31,
  SETTINGS,
  WINDOW_MAX,
  WINDOW_UPDATE,
  writeFrameHead,
} from "./frames.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { Input } from "./input.ts";
import type { Owner } from "./lifetime.ts";
import { CONNECTION_WINDOW, MAX_BLOCK, MAX_STREAMS } from "./limits.ts";
import { COSTS, DECODED_IN_VAIN, TINY_DATA } from "./patience.ts";
import { parsePriority } from "./priority.ts";
import { NO_TRAILERS, RequestHead } from "./request-head.ts";
import { SETTINGS_ROOM, writeSettings, writeSettingsAck } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import { PING_DRAIN, PING_NOTHING, PING_WINDOW } from "./streams.ts";
import type { UnreadRequest } from "./unread-requests.ts";

/** A request's part of the work that `Input` counts. */
const REQUEST = 8;

/** One thread reads one head at a time. */
const head = new RequestHead();

export class Http2Connection extends Input implements FrameSink {
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  /** A header block that goes on in CONTINUATION frames: whose, what of it has come, whether it ends the stream. */
  #blockOf = 0;
  #block: Uint8Array<ArrayBuffer> | undefined;
  #blockLength = 0;
  #blockEnds = false;
  /** The stream of the DATA frame that is coming, and its size; undefined when it is to be dropped. */
  #dataStream: Http2Stream | undefined;
  /** The same of a request that was answered already. */
  #dataUnread: UnreadRequest | undefined;
  #dataEnds = false;
  #dataEmpty = false;
  /** The last stream that was open before what is being read came. */
  #lastBefore = 0;

  constructor(http: ProtocolHost, handle: Handle, owner: Owner) {
    super(http, handle, owner);
    const { output } = this;
    const out = output.reserve(SETTINGS_ROOM + FRAME_HEAD + 4);
    output.end = writeSettings(out, output.end, http.limits.maxHeaderBytes);
    output.frame(WINDOW_UPDATE, 0, CONNECTION_WINDOW - 65_535);
    if (http.draining) this.drain(http.ending);
  }

  // ---- what the poller tells

  protected came(): void {
    this.#lastBefore = this.last;
  }
  protected feed(bytes: Uint8Array, start: number, end: number): number {
    return this.#reader.feed(bytes, start, end, this);
  }
  protected get within(): boolean {
    return this.#blockOf !== 0 || this.#reader.within;
  }

  /** A client that has closed its end says neither windows nor resets any more: nothing can be served. */
  ended(): void {
    // As with HTTP/1.1: who reads a body is told that it is cut short.
    for (const { body, remoteEnded } of this.streams.values()) if (!remoteEnded) body?.fail(bodyCutShort());
    this.closeWith(clientGone());
    this.http.closeNow(this.handle);
  }

  failed(errno: number): void {
    const reason = clientGone();
    const cause = errnoError(this.poller.constants, errno, "the connection broke");
    Object.defineProperty(reason, "cause", { value: cause, configurable: true, writable: true });
    this.closeWith(reason);
    this.http.closeNow(this.handle);
  }

  broken(result: number): void {
    this.failed(-result);
  }

  // ---- frames

  frame(type: number, flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.work++;
    if (!this.greeted && type !== SETTINGS) return this.fail(PROTOCOL_ERROR, "SETTINGS are not its first frame");
    if (this.#blockOf !== 0 && (type !== CONTINUATION || stream !== this.#blockOf)) {
      return this.fail(PROTOCOL_ERROR, "a frame within a header block");
    }
    switch (type) {
      case HEADERS:
        return this.#headers(flags, stream, bytes, start, end);
      case CONTINUATION:
        if (this.#blockOf === 0) return this.fail(PROTOCOL_ERROR, "CONTINUATION without a header block");
        if (!this.spend(COSTS.continuation)) return;
        return this.#fragment(flags, bytes, start, end);
      case SETTINGS:
        return this.#settings(flags, stream, bytes, start, end);
      case WINDOW_UPDATE:
        if (size !== 4) return this.fail(FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
        return this.#windowUpdate(stream, readUint31(bytes, start));
      case RST_STREAM:
        if (size !== 4) return this.fail(FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
        if (!this.#isKnown(stream)) return;
        return this.#resetByClient(stream);
      case PING:
        if (stream !== 0) return this.fail(PROTOCOL_ERROR, "PING on a stream");
        if (size !== 8) return this.fail(FRAME_SIZE_ERROR, "PING of a wrong size");
        return this.#ping(flags, bytes, start);
      case PRIORITY:
        if (stream === 0) return this.fail(PROTOCOL_ERROR, "PRIORITY without a stream");
        // RFC 9113, 6.3: what it says means nothing any more, but that it can't be.
        if (!this.spend(COSTS.priority)) return;
        if (size !== 5) return this.#streamError(stream, FRAME_SIZE_ERROR);
        if (readUint31(bytes, start) === stream) this.#streamError(stream, PROTOCOL_ERROR);
        return;
      case GOAWAY:
        if (stream !== 0) return this.fail(PROTOCOL_ERROR, "GOAWAY on a stream");
        if (size < 8) return this.fail(FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
        // What it has opened is still served.
        return this.drain(true);
      case PRIORITY_UPDATE:
        return this.#priorityUpdate(stream, bytes, start, end);
      case PUSH_PROMISE:
        return this.fail(PROTOCOL_ERROR, "PUSH_PROMISE of a client");
      default:
        // RFC 9113, 5.5: extensions that we don't know.
        this.spend(COSTS.unknown);
    }
  }

  #headers(flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    if ((stream & 1) === 0) return this.fail(PROTOCOL_ERROR, "HEADERS on no stream of a client's");
    let padding = 0;
    if ((flags & PADDED) !== 0) {
      if (start === end) return this.fail(FRAME_SIZE_ERROR, "a padded frame without a pad length");
      padding = bytes[start++];
    }
    if ((flags & HAS_PRIORITY) !== 0) {
      if (end - start < 5) return this.fail(FRAME_SIZE_ERROR, "HEADERS too short for their priority");
      // RFC 7540, 5.3.1; a stream error there, which would still have to decode the block.
      if (readUint31(bytes, start) === stream) return this.fail(PROTOCOL_ERROR, "a stream that depends on itself");
      start += 5;
    }
    if (padding > end - start) return this.fail(PROTOCOL_ERROR, "padding that is longer than its frame");
    this.#blockOf = stream;
    this.#blockEnds = (flags & END_STREAM) !== 0;
    this.#blockLength = 0;
    this.#fragment(flags, bytes, start, end - padding);
  }

  #fragment(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const whole = (flags & END_HEADERS) !== 0;
    if (whole && this.#blockLength === 0) return this.#blockCame(bytes, start, end);
    const size = this.#blockLength + end - start;
    if (size > Math.min(MAX_BLOCK, this.limits.maxHeaderBytes + 16_384)) {
      this.fired("maxHeaderBytes", "sent a head that is too large");
      if (this.#block !== undefined) giveBuffer(this.#block);
      this.#block = undefined;
      return this.end(ENHANCE_YOUR_CALM);
    }
    const before = this.#block;
    if (before === undefined || size > before.length) {
      const larger = takeBuffer(size);
      if (before !== undefined) {
        larger.set(before.subarray(0, this.#blockLength));
        giveBuffer(before);
      }
      this.#block = larger;
    }
    this.#block?.set(bytes.subarray(start, end), this.#blockLength);
    this.#blockLength = size;
    const block = this.#block;
    if (!whole || block === undefined) return;
    this.#blockCame(block, 0, size);
    giveBuffer(block);
  }

  /** A whole header block. It is decoded whatever becomes of it: the table must stay the client's. */
  #blockCame(bytes: Uint8Array, start: number, end: number): void {
    const id = this.#blockOf;
    const ended = this.#blockEnds;
    this.#blockOf = 0;
    this.#block = undefined;
    const stream = this.streams.get(id);
    const known = id <= this.last;
    const most = known ? Math.min(MAX_TRAILERS, this.limits.maxHeaderBytes) : this.limits.maxHeaderBytes;
    head.begin(most, this.limits.maxHeaderCount, known);
    if (!this.#decoder.decode(bytes, start, end, head)) {
      return this.fail(COMPRESSION_ERROR, "a header block that can't be decoded");
    }
    const vain = Math.floor((head.size - this.limits.maxHeaderBytes) / DECODED_IN_VAIN);
    if (vain > 0 && !this.spend(vain)) return;
    const well = head.finish();
    if (stream !== undefined) {
      if (stream.remoteEnded) return this.#streamError(id, STREAM_CLOSED);
      // Trailers (RFC 9113, 8.1).
      if (!ended || !well) return this.#streamError(id, PROTOCOL_ERROR);
      return this.#requestEnded(stream, head.trailers);
    }
    const unread = this.unread?.get(id);
    if (unread !== undefined) {
      // Its trailers.
      if (!ended || !well) return this.#streamError(id, PROTOCOL_ERROR);
      return this.#unreadEnded(unread);
    }
    if (known) {
      // What was on its way as we reset the stream; else it is opened for a second time (RFC 9113, 5.1.1).
      if (this.wasReset(id)) return;
      return this.fail(STREAM_CLOSED, "HEADERS on a stream that is closed");
    }
    this.last = id;
    if (id > this.served) return;
    if (!well || (ended && head.contentLength > 0)) return this.#streamError(id, PROTOCOL_ERROR);
    // One head may be as large as maxHeaderBytes says; all of a connection's together may not be a hundred times that.
    const heads = this.headBytes + head.head.length > 2 * this.limits.maxHeaderBytes;
    if (heads || this.streams.size + this.abandoned >= MAX_STREAMS) {
      if (this.spend(COSTS.refused)) this.sendReset(id, REFUSED_STREAM);
      return;
    }
    this.worked = true;
    this.work += REQUEST;
    this.begun++;
    this.request(id, ended, head);
    if (this.streams.size > 0) this.watchSilence();
  }

  dataBegan(id: number, flags: number, length: number): void {
    this.work++;
    this.#dataStream = undefined;
    this.#dataEnds = (flags & END_STREAM) !== 0;
    this.#dataEmpty = true;
    if (this.#blockOf !== 0 || !this.greeted) return this.fail(PROTOCOL_ERROR, "DATA where none may be");
    if (id === 0 || (id & 1) === 0 || id > this.last) return this.fail(PROTOCOL_ERROR, "DATA on an idle stream");
    if (!this.receiving.take(length)) return this.fail(FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      const unread = this.unread?.get(id);
      if (unread !== undefined) {
        if (!unread.takes(length, this.now)) return this.#streamError(id, FLOW_CONTROL_ERROR);
        if (this.#isTiny(length) && !this.spend(COSTS.tinyData)) return;
        this.#dataUnread = unread;
        return;
      }
      // RFC 9113, 5.1: we have ended it, and it counts for the connection's window all the same.
      if (this.wasReset(id) || id > this.served) return this.credit(undefined);
      return this.fail(STREAM_CLOSED, "DATA on a stream that is closed");
    }
    if (stream.remoteEnded) return this.#streamError(id, STREAM_CLOSED);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.#streamError(id, FLOW_CONTROL_ERROR);
    if (stream.tunnel === undefined && this.#isTiny(length) && !this.spend(COSTS.tinyData)) return;
    this.#dataStream = stream;
  }

  #isTiny(length: number): boolean {
    return length > 0 && length < TINY_DATA && !this.#dataEnds;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#dataStream;
    this.#dataEmpty = false;
    const unread = this.#dataUnread;
    if (unread !== undefined && !unread.receives(end - start)) {
      this.#dataUnread = undefined;
      this.sendReset(unread.id, PROTOCOL_ERROR);
    }
    if (stream === undefined || this.streams.get(stream.id) !== stream) return;
    const result = stream.received(bytes, start, end);
    if (result === undefined) return;
    this.#dataStream = undefined;
    if (result === "malformed") this.#streamError(stream.id, PROTOCOL_ERROR);
  }

  dataEnded(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    const unread = this.#dataUnread;
    this.#dataUnread = undefined;
    if (unread !== undefined) this.#unreadCame(unread);
    // Padding is nothing, too.
    if (this.#dataEmpty && !this.#dataEnds && !this.spend(COSTS.emptyData)) return;
    if (stream === undefined || this.streams.get(stream.id) !== stream) return this.credit(undefined);
    if (this.#dataEnds) this.#requestEnded(stream, NO_TRAILERS);
    this.credit(stream);
  }

  #unreadCame(unread: UnreadRequest): void {
    if (this.#dataEnds) return this.#unreadEnded(unread);
    if (unread.isEnough(this.now)) return this.sendReset(unread.id, NO_ERROR);
    const owed = unread.credit();
    if (owed > 0) this.output.frame(WINDOW_UPDATE, unread.id, owed);
  }

  #unreadEnded(unread: UnreadRequest): void {
    // Nobody has anything to do with it any more: no line in the log.
    if (!unread.whole) return this.sendReset(unread.id, PROTOCOL_ERROR);
    this.unread?.delete(unread.id);
    // curl 7.88 has read the answer while it was sending, and looks at it when more comes: for ever, if nothing does.
    this.ping(PING_NOTHING);
  }

  #requestEnded(stream: Http2Stream, trailers: readonly string[]): void {
    if (!stream.receivedAll(trailers)) this.#streamError(stream.id, PROTOCOL_ERROR);
  }

  #settings(flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    if (stream !== 0) return this.fail(PROTOCOL_ERROR, "SETTINGS on a stream");
    if ((flags & ACK) !== 0) {
      if (end > start) return this.fail(FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS with a payload");
      if (!this.greeted) return this.fail(PROTOCOL_ERROR, "SETTINGS are not its first frame");
      if (!this.settingsAcknowledged()) this.spend(COSTS.settings);
      return;
    }
    if (this.greeted && !this.spend(COSTS.settings)) return;
    const { peer, output } = this;
    const { initialWindow: before, tableSize } = peer;
    const code = peer.read(bytes, start, end);
    if (code !== NO_ERROR) return this.fail(code, "SETTINGS with a value that may not be");
    if (peer.tableSize < tableSize) output.tableReduced = true;
    if (!this.greeted) this.greetedUs();
    const change = peer.initialWindow - before;
    if (change !== 0) {
      for (const each of this.streams.values()) {
        each.sendWindow += change;
        if (each.sendWindow > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "a window that is too large");
        if (change > 0) this.ready(each);
      }
    }
    output.end = writeSettingsAck(output.reserve(FRAME_HEAD), output.end);
    output.schedule();
  }

  #windowUpdate(id: number, increment: number): void {
    if (!this.spend(COSTS.windowUpdate)) return;
    const { output } = this;
    if (id === 0) {
      if (increment === 0) return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
      if (output.window <= 0) for (const each of output.scheduler) each.windowOpened(increment);
      output.window += increment;
      if (output.window > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "a window that is too large");
      output.schedule();
      return;
    }
    if (!this.#isKnown(id)) return;
    const stream = this.streams.get(id);
    if (stream === undefined) {
      const unread = this.unread?.get(id);
      if (unread === undefined) return;
      if (increment === 0) return this.#streamError(id, PROTOCOL_ERROR);
      if (!unread.grows(increment)) this.#streamError(id, FLOW_CONTROL_ERROR);
      return;
    }
    if (increment === 0) return this.#streamError(id, PROTOCOL_ERROR);
    stream.sendWindow += increment;
    if (stream.sendWindow > WINDOW_MAX) return this.#streamError(id, FLOW_CONTROL_ERROR);
    this.ready(stream);
  }

  #resetByClient(id: number): void {
    if (!this.spend(id > this.#lastBefore ? COSTS.resetAtOnce : COSTS.reset)) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.lost(stream, clientGone());
    else this.resetCame(id);
  }

  #ping(flags: number, bytes: Uint8Array, start: number): void {
    const { output } = this;
    if ((flags & ACK) !== 0) {
      switch (bytes[start + 7]) {
        case PING_WINDOW:
          this.receiving.measured();
          break;
        case PING_DRAIN:
          this.drainHeard();
      }
      return;
    }
    if (!this.spend(COSTS.ping)) return;
    const out = output.reserve(FRAME_HEAD + 8);
    const at = writeFrameHead(out, output.end, 8, PING, ACK, 0);
    out.set(bytes.subarray(start, start + 8), at);
    output.end = at + 8;
    output.schedule();
  }

  /** RFC 9218, 7.1. For streams that are not open it would have to be remembered, which is the client's to do without. */
  #priorityUpdate(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) return this.fail(PROTOCOL_ERROR, "PRIORITY_UPDATE on a stream");
    if (end - start < 4) return this.fail(FRAME_SIZE_ERROR, "PRIORITY_UPDATE of a wrong size");
    if (!this.spend(COSTS.priority)) return;
    const of = readUint31(bytes, start);
    if ((of & 1) === 0) return this.fail(PROTOCOL_ERROR, "PRIORITY_UPDATE of no stream of a client's");
    const stream = this.streams.get(of);
    if (stream === undefined) return;
    const { scheduler } = this.output;
    const waits = stream.scheduled;
    scheduler.remove(stream);
    stream.priority = parsePriority(latin1(bytes, start + 4, end));
    if (waits) scheduler.add(stream);
  }

  /** False, and an error, for a stream that the client has not opened. */
  #isKnown(id: number): boolean {
    if (id !== 0 && (id & 1) === 1 && id <= this.last) return true;
    this.fail(PROTOCOL_ERROR, "a frame for an idle stream");
    return false;
  }

  #streamError(id: number, code: number): void {
    this.fired("malformedRequest", `broke a rule of HTTP/2 on a stream: ${errorName(code)}`);
    if (!this.spend(COSTS.malformed)) return;
    const stream = this.streams.get(id);
    if (stream === undefined) this.sendReset(id, code);
    else this.reset(stream, code, clientGone());
  }
}

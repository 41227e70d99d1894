/**
 * One connection of HTTP/2 (RFC 9113): what its frames say, when it has to say something, and how it ends. A request that
 * comes whole and is answered at once makes no object of ours but the handler's own Request (`streams.ts`); what is sent,
 * and when, is `output.ts`'s.
 */
import type { Handle } from "../../ffi/poller.ts";
import { clientGone, notRead } from "../http/endings.ts";
import { latin1 } from "../http/exchange.ts";
import type { OtherConnection, ProtocolHost } from "../http/protocol.ts";
import { errnoError } from "../runtime/errno.ts";
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  errorName,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  SETTINGS_TIMEOUT,
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
  STREAM_MAX,
  WINDOW_MAX,
  WINDOW_UPDATE,
  writeFrameHead,
  writeUint32,
} from "./frames.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { CONNECTION_WINDOW, MAX_BLOCK, MAX_STREAMS, type Timing } from "./limits.ts";
import { COSTS } from "./patience.ts";
import { parsePriority } from "./priority.ts";
import { RequestHead } from "./request-head.ts";
import { SETTINGS_ROOM, writeSettings, writeSettingsAck } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import { PING_DRAIN, PING_QUIET, PING_WINDOW, Streams } from "./streams.ts";

/** One thread reads one head at a time. */
const head = new RequestHead();

export class Http2Connection extends Streams implements FrameSink, OtherConnection {
  readonly #timing: Timing;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  #closed = false;
  /** The highest stream that the client has opened; and, once we have said GOAWAY, the highest that is served. */
  #last = 0;
  #served = STREAM_MAX;
  /** The client has said its SETTINGS. */
  #greeted = false;
  /** A header block that goes on in CONTINUATION frames: whose, what of it has come, whether it ends the stream. */
  #blockOf = 0;
  #block: Uint8Array | undefined;
  #blockLength = 0;
  #blockEnds = false;
  /** The stream of the DATA frame that is coming, and its size; undefined when it is to be dropped. */
  #dataStream: Http2Stream | undefined;
  #dataEnds = false;
  #dataEmpty = false;
  #reading = false;
  #paused = false;
  // When what is due, in clock milliseconds; 0 for never.
  /** The client's preface and SETTINGS; later, the rest of a frame or of a header block. */
  #headAt: number;
  #settingsAt: number;
  #idleAt = 0;
  /** When a silent connection with streams is asked whether it is there; and when it must have answered. */
  #quietAt = 0;
  #answerAt = 0;
  #drainAt = 0;
  /** 1: told that the end comes, 2: told which streams are served. */
  #draining = 0;
  /** What the wheel holds. */
  #armed = 0;

  constructor(http: ProtocolHost, handle: Handle, timing: Timing) {
    super(http, handle);
    this.#timing = timing;
    this.#headAt = this.#armed = Math.ceil(http.deadlineAt(handle));
    this.#settingsAt = Math.ceil(http.now + timing.settingsAck);
    this.arm(this.#settingsAt);
    const { output } = this;
    const out = output.reserve(SETTINGS_ROOM + FRAME_HEAD + 4);
    output.end = writeSettings(out, output.end, http.limits.maxHeaderBytes);
    output.frame(WINDOW_UPDATE, 0, CONNECTION_WINDOW - 65_535);
    if (http.draining) this.drain(http.ending);
  }

  get closed(): boolean {
    return this.#closed;
  }

  // ---- what the poller tells

  received(bytes: Uint8Array, start: number, end: number): void {
    this.#reading = true;
    this.#answerAt = 0;
    if (this.streams.size > 0) this.#quietAt = this.now + this.#timing.quiet;
    this.#reader.feed(bytes, start, end, this);
    this.#reading = false;
    if (this.#closed) return;
    this.#frameBegan(this.#blockOf !== 0 || this.#reader.within);
    this.output.flush();
    if (this.#closed) return;
    if (this.output.full) {
      this.#paused = true;
      this.poller.pause(this.handle);
    }
    if (this.streams.size === 0) this.emptied();
  }

  sent(): void {
    this.socketHasRoom();
    this.output.unblock();
    if (this.#closed || !this.#paused || this.output.full) return;
    this.#paused = false;
    this.poller.receive(this.handle);
  }

  /** A client that has closed its end says neither windows nor resets any more: nothing can be served. */
  ended(): void {
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
    if (!this.#greeted && type !== SETTINGS) return this.fail(PROTOCOL_ERROR, "SETTINGS are not its first frame");
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
        // RFC 9113, 6.3: what it says means nothing any more.
        if (!this.spend(COSTS.priority)) return;
        if (size !== 5) this.#streamError(stream, FRAME_SIZE_ERROR);
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
      return this.end(ENHANCE_YOUR_CALM);
    }
    const before = this.#block;
    if (before === undefined || size > before.length) {
      const larger = new Uint8Array(Math.max(size, (before?.length ?? 0) * 2));
      if (before !== undefined) larger.set(before.subarray(0, this.#blockLength));
      this.#block = larger;
    }
    this.#block?.set(bytes.subarray(start, end), this.#blockLength);
    this.#blockLength = size;
    if (whole && this.#block !== undefined) this.#blockCame(this.#block, 0, size);
  }

  /** A whole header block. It is decoded whatever becomes of it: the table must stay the client's. */
  #blockCame(bytes: Uint8Array, start: number, end: number): void {
    const id = this.#blockOf;
    const ended = this.#blockEnds;
    this.#blockOf = 0;
    this.#block = undefined;
    const stream = this.streams.get(id);
    const known = id <= this.#last;
    head.begin(this.limits.maxHeaderBytes, this.limits.maxHeaderCount, known);
    if (!this.#decoder.decode(bytes, start, end, head)) {
      return this.fail(COMPRESSION_ERROR, "a header block that can't be decoded");
    }
    const well = head.finish();
    if (stream !== undefined) {
      if (stream.remoteEnded) return this.#streamError(id, STREAM_CLOSED);
      // Trailers (RFC 9113, 8.1): nobody is told of them, as with HTTP/1.1.
      if (!ended || !well) return this.#streamError(id, PROTOCOL_ERROR);
      return this.#requestEnded(stream);
    }
    if (known) {
      // What was on its way as we reset the stream; else it is opened for a second time (RFC 9113, 5.1.1).
      if (this.wasReset(id)) return;
      return this.fail(STREAM_CLOSED, "HEADERS on a stream that is closed");
    }
    this.#last = id;
    if (id > this.#served) return;
    if (!well || (ended && head.contentLength > 0)) return this.#streamError(id, PROTOCOL_ERROR);
    // One head may be as large as maxHeaderBytes says; all of a connection's together may not be a hundred times that.
    const heads = this.headBytes + head.head.length > 2 * this.limits.maxHeaderBytes;
    if (heads || this.streams.size + this.abandoned >= MAX_STREAMS) {
      if (this.spend(COSTS.refused)) this.sendReset(id, REFUSED_STREAM);
      return;
    }
    this.request(id, ended, head);
    // A silent client is asked from here on.
    if (this.#quietAt === 0 && this.streams.size > 0) this.arm((this.#quietAt = this.now + this.#timing.quiet));
  }

  dataBegan(id: number, flags: number, length: number): void {
    this.#dataStream = undefined;
    this.#dataEnds = (flags & END_STREAM) !== 0;
    this.#dataEmpty = true;
    if (this.#blockOf !== 0 || !this.#greeted) return this.fail(PROTOCOL_ERROR, "DATA where none may be");
    if (id === 0 || (id & 1) === 0 || id > this.#last) return this.fail(PROTOCOL_ERROR, "DATA on an idle stream");
    if (!this.receiving.take(length)) return this.fail(FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      // RFC 9113, 5.1: we have ended it, and it counts for the connection's window all the same.
      if (this.wasReset(id) || id > this.#served) return this.credit(undefined);
      return this.fail(STREAM_CLOSED, "DATA on a stream that is closed");
    }
    if (stream.remoteEnded) return this.#streamError(id, STREAM_CLOSED);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.#streamError(id, FLOW_CONTROL_ERROR);
    this.#dataStream = stream;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#dataStream;
    this.#dataEmpty = false;
    if (stream === undefined || this.streams.get(stream.id) !== stream) return;
    const result = stream.received(bytes, start, end);
    if (result === undefined) return;
    this.#dataStream = undefined;
    if (result === "malformed") this.#streamError(stream.id, PROTOCOL_ERROR);
  }

  dataEnded(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    // Padding is nothing, too.
    if (this.#dataEmpty && !this.#dataEnds && !this.spend(COSTS.emptyData)) return;
    if (stream === undefined || this.streams.get(stream.id) !== stream) return this.credit(undefined);
    if (this.#dataEnds) this.#requestEnded(stream);
    this.credit(stream);
  }

  #requestEnded(stream: Http2Stream): void {
    if (!stream.receivedAll()) this.#streamError(stream.id, PROTOCOL_ERROR);
  }

  #settings(flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    if (stream !== 0) return this.fail(PROTOCOL_ERROR, "SETTINGS on a stream");
    if ((flags & ACK) !== 0) {
      if (end > start) return this.fail(FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS with a payload");
      if (!this.#greeted) return this.fail(PROTOCOL_ERROR, "SETTINGS are not its first frame");
      if (this.#settingsAt === 0) this.spend(COSTS.settings);
      this.#settingsAt = 0;
      return;
    }
    if (this.#greeted && !this.spend(COSTS.settings)) return;
    const { peer, output } = this;
    const before = peer.initialWindow;
    const code = peer.read(bytes, start, end);
    if (code !== NO_ERROR) return this.fail(code, "SETTINGS with a value that may not be");
    if (!this.#greeted) {
      this.#greeted = true;
      this.#headAt = 0;
      this.#becameIdle();
    }
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
      output.window += increment;
      if (output.window > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "a window that is too large");
      output.schedule();
      return;
    }
    if (!this.#isKnown(id)) return;
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) return this.#streamError(id, PROTOCOL_ERROR);
    stream.sendWindow += increment;
    if (stream.sendWindow > WINDOW_MAX) return this.#streamError(id, FLOW_CONTROL_ERROR);
    this.ready(stream);
  }

  #resetByClient(id: number): void {
    if (!this.spend(COSTS.reset)) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.lost(stream, clientGone());
  }

  #ping(flags: number, bytes: Uint8Array, start: number): void {
    const { output } = this;
    if ((flags & ACK) !== 0) {
      switch (bytes[start + 7]) {
        case PING_WINDOW:
          this.receiving.measured();
          break;
        case PING_DRAIN:
          if (this.#draining === 1 && this.#drainAt !== 0) this.#lastWord();
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
    if (id !== 0 && (id & 1) === 1 && id <= this.#last) return true;
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

  // ---- the end

  /** A connection error (RFC 9113, 5.4.1). */
  fail(code: number, why: string): void {
    if (this.#closed) return;
    this.fired("malformedRequest", `broke a rule of HTTP/2: ${why}`);
    this.end(code);
  }

  override flooded(): void {
    if (this.#closed) return;
    this.fired("http2Flood", "sent frames that bring nothing, and too many of them");
    this.end(ENHANCE_YOUR_CALM);
  }

  /** Says GOAWAY and closes. What waits in a full socket is given up. */
  end(code: number): void {
    if (this.#closed) return;
    const stuck = this.output.blocked;
    this.#goaway(this.#last, code);
    this.output.flush();
    if (this.#closed) return;
    this.closeWith(clientGone());
    if (stuck || this.output.blocked) this.http.closeNow(this.handle);
    else this.http.part(this.handle, false);
  }

  #goaway(last: number, code: number): void {
    const { output } = this;
    const out = output.reserve(FRAME_HEAD + 8);
    const at = writeUint32(out, writeFrameHead(out, output.end, 8, GOAWAY, 0, 0), last);
    output.end = writeUint32(out, at, code);
    output.schedule();
  }

  /**
   * RFC 9113, 6.8: first a GOAWAY that names no stream, so that the client opens no more; when it must have read that, one
   * with the last that is served. What was on its way until then is answered.
   */
  drain(last: boolean): void {
    if (this.#closed) return;
    if (this.#draining === 0) {
      this.#draining = 1;
      this.#goaway(STREAM_MAX, NO_ERROR);
    }
    if (!last || this.#drainAt !== 0 || this.#draining === 2) return;
    this.ping(PING_DRAIN);
    this.arm((this.#drainAt = Math.ceil(this.now + Math.max(1, this.limits.drainIdle))));
  }

  #lastWord(): void {
    this.#draining = 2;
    this.#drainAt = 0;
    this.#served = this.#last;
    this.#goaway(this.#last, NO_ERROR);
    if (this.streams.size > 0 || this.#reading) return;
    this.#part();
  }

  protected override hadItsLast(): void {
    this.drain(true);
  }

  #part(): void {
    this.output.flush();
    if (this.#closed || this.output.blocked) return;
    this.closeWith();
    this.http.part(this.handle, false);
  }

  protected override emptied(): void {
    this.#quietAt = this.#answerAt = 0;
    if (this.#reading || this.#closed) return;
    if (this.#draining === 2) return this.#part();
    this.#becameIdle();
  }

  #becameIdle(): void {
    const { idleTimeout } = this.limits;
    this.#idleAt = idleTimeout === Number.POSITIVE_INFINITY ? 0 : Math.ceil(this.now + Math.max(1, idleTimeout));
    if (this.#idleAt !== 0) this.arm(this.#idleAt);
  }

  closeWith(reason: unknown = clientGone()): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#block = undefined;
    for (const stream of [...this.streams.values()]) this.lost(stream, reason);
    this.output.drop();
  }

  // ---- time

  /** Part of a frame, or of a header block, has come, or all of it. Drips don't move its deadline. */
  #frameBegan(within: boolean): void {
    if (!this.#greeted) return;
    if (!within) this.#headAt = 0;
    else if (this.#headAt === 0 && this.limits.readHeaderTimeout !== Number.POSITIVE_INFINITY) {
      this.arm((this.#headAt = Math.ceil(this.now + this.limits.readHeaderTimeout)));
    }
  }

  protected override arm(at: number): void {
    if (this.#armed !== 0 && this.#armed <= at) return;
    this.#armed = at;
    this.http.setDeadlineAt(this.handle, at);
  }

  expired(): void {
    const { now } = this;
    this.#armed = 0;
    if (ran(this.#headAt, now)) {
      this.fired(
        "readHeaderTimeout",
        this.#greeted ? "left a frame or a head unfinished" : "did not begin with SETTINGS",
      );
      return this.end(this.#greeted ? ENHANCE_YOUR_CALM : PROTOCOL_ERROR);
    }
    if (ran(this.#settingsAt, now)) {
      this.fired("readHeaderTimeout", "did not acknowledge SETTINGS");
      return this.end(SETTINGS_TIMEOUT);
    }
    if (this.socketDeadline !== 0 && this.socketExpired()) {
      this.fired("writeTimeout", "did not read a response in time");
      this.closeWith(notRead());
      return this.http.closeNow(this.handle);
    }
    if (ran(this.#answerAt, now)) {
      this.closeWith(clientGone());
      return this.http.closeNow(this.handle);
    }
    if (ran(this.#drainAt, now)) this.#lastWord();
    for (const stream of [...this.streams.values()]) {
      if (this.#closed) return;
      if (ran(stream.deadline, now)) stream.expired();
    }
    if (this.#closed) return;
    if (this.streams.size === 0) {
      if (ran(this.#idleAt, now)) {
        this.fired("idleTimeout", "");
        return this.end(NO_ERROR);
      }
    } else if (ran(this.#quietAt, now)) {
      this.#quietAt = now + this.#timing.quiet;
      if (this.#answerAt === 0) {
        this.#answerAt = now + this.#timing.pingAck;
        this.ping(PING_QUIET);
      }
    }
    this.#rearm();
  }

  #rearm(): void {
    let at = nearer(this.#headAt, this.#settingsAt);
    at = nearer(at, this.socketDeadline);
    at = nearer(at, this.#drainAt);
    if (this.streams.size === 0) at = nearer(at, this.#idleAt);
    else {
      at = nearer(nearer(at, this.#quietAt), this.#answerAt);
      for (const { deadline } of this.streams.values()) at = nearer(at, deadline);
    }
    if (at !== 0) this.arm(at);
  }
}

function ran(due: number, now: number): boolean {
  return due > 0 && due <= now;
}

function nearer(a: number, b: number): number {
  return a === 0 || (b !== 0 && b < a) ? b : a;
}

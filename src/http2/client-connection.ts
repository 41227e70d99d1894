/**
 * The client's half of a connection of HTTP/2 (RFC 9113): requests leave as streams, what comes is told to whoever owns
 * each. Frames, HPACK and the rules for fields are the server's (`frame-reader.ts`, `hpack-decoder.ts`, `fields.ts`). It
 * knows neither fetch nor pools: `src/client/h2.ts` does.
 *
 * A server is a stranger as well. Whatever costs memory has a bound: header lists, CONTINUATION frames, what waits unread
 * (by windows), and control frames that wait for a server that does not read.
 */
import { type Handle, SENDING, type Transport } from "../../ffi/poller.ts";
import { newBatch, type Outgoing } from "../http/outgoing.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { ClientStream, type StreamOwner } from "./client-stream.ts";
import {
  CANCEL,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  errorName,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  HTTP_1_1_REQUIRED,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from "./errors.ts";
import { type Field, MALFORMED } from "./fields.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEAD,
  FRAME_MAX,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PUSH_PROMISE,
  RST_STREAM,
  readUint31,
  readUint32,
  SETTINGS,
  STREAM_MAX,
  WINDOW_MAX,
  WINDOW_UPDATE,
  writeFrameHead,
  writeUint32,
} from "./frames.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { fieldRoom, writeField } from "./hpack-encoder.ts";
import { PeerSettings } from "./settings.ts";

/** What a response may send before it is read, and all of a connection together. */
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * 1024 * 1024;
/** Streams at once before the server has said how many it takes (RFC 9113, 6.5.2 recommends no fewer than 100). */
const STREAMS_AT_FIRST = 100;
/** As for HTTP/1.1's heads (src/client/response-parser.ts); and frames that a block may be cut into. */
const MAX_HEAD = 256 * 1024;
const MAX_FRAGMENTS = 64;
/** What gathers before it is sent; what may wait for a server that reads nothing. */
const BATCH = 32 * 1024;
const MOST_WAITING = 64 * 1024;
/**
 * Frames that bring nothing, between two that bring something. A server that gives an upload its room says WINDOW_UPDATE
 * for each DATA frame, of the stream and of the connection; and one that is silent says PING for hours: what we send, and
 * time, count against them.
 */
const MAX_IDLE_FRAMES = 1_000;
const IDLE_FRAMES_PER_DATA = 2;
const IDLE_FRAMES_PER_MS = 0.1;

const SETTINGS_ENABLE_PUSH = 2;
const SETTINGS_MAX_CONCURRENT_STREAMS = 3;
const SETTINGS_INITIAL_WINDOW_SIZE = 4;
const SETTINGS_MAX_HEADER_LIST_SIZE = 6;
/** HPACK's table is not used by us: said once, it holds for whatever the server says later (RFC 7541, 4.2). */
const NO_TABLE = 0x20;

/** Whose connection it is. */
export interface ClientHost {
  /** A stream has ended, or may be opened now. */
  streamsChanged(): void;
  /** No new streams: the server says that it ends, or they are used up. */
  retired(): void;
  /** It is over: close the handle. */
  over(): void;
}

/** The head of a response, from a header block; one thread reads one at a time. */
class HeadText {
  status = "";
  text = "";
  size = 0;
  bad = "";
  #regular = false;

  begin(): void {
    this.status = "";
    this.text = "";
    this.size = 0;
    this.bad = "";
    this.#regular = false;
  }

  field(field: Field): void {
    this.size += field.size;
    if (this.size > MAX_HEAD) {
      this.bad ||= `its header fields are larger than ${MAX_HEAD / 1024} KiB`;
      return;
    }
    const { name, kind } = field;
    if (name === ":status") {
      if (this.status !== "" || this.#regular || !/^[1-9]\d\d$/.test(field.value))
        this.bad ||= "its status is malformed";
      this.status = field.value;
      return;
    }
    if (name.charCodeAt(0) === 0x3a) this.bad ||= "it has a pseudo-header that no response has";
    else if (kind === MALFORMED) this.bad ||= "a header field of it is malformed";
    else if (CONNECTION_ONLY.has(name)) this.bad ||= `it has ${name}, which HTTP/2 has not`;
    this.#regular = true;
    this.text += field.line;
  }
}

const CONNECTION_ONLY = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
const headText = new HeadText();

export class ClientHttp2 implements FrameSink {
  readonly handle: Handle;
  readonly #transport: Transport;
  readonly #host: ClientHost;
  readonly #reader = new FrameReader(false);
  readonly #decoder = new HpackDecoder();
  readonly #settings = new PeerSettings();
  readonly #streams = new Map<number, ClientStream>();
  #nextId = 1;
  #maxStreams = STREAMS_AT_FIRST;
  #greeted = false;
  #closed = false;
  #retired = false;
  /** Bytes that we may send, and that the server may, on the connection. */
  #window = 65_535;
  #left = CONNECTION_WINDOW;
  #saidTable = false;
  /** A header block that goes on: whose, its parts, whether it ends the stream. */
  #blockOf = 0;
  #parts: Uint8Array[] = [];
  #partsSize = 0;
  #blockEnds = false;
  /** The stream of the DATA frame that comes; undefined for one that is gone. */
  #dataStream: ClientStream | undefined;
  #dataEnds = false;
  #idleFrames = 0;
  #idleSince = monotonicNow();
  #batch: Outgoing | undefined;
  #end = 0;
  #scheduled = false;
  #blocked = false;
  /** Of what waits: what the server has made us say. */
  #answers = 0;

  constructor(transport: Transport, handle: Handle, host: ClientHost) {
    this.#transport = transport;
    this.handle = handle;
    this.#host = host;
    const out = this.#reserve(PREFACE.length + 64);
    out.set(PREFACE, 0);
    let at = PREFACE.length;
    const entries = [
      [SETTINGS_ENABLE_PUSH, 0],
      [SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      [SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEAD],
    ] as const;
    at = writeFrameHead(out, at, entries.length * 6, SETTINGS, 0, 0);
    for (const [name, value] of entries) {
      out[at] = 0;
      out[at + 1] = name;
      at = writeUint32(out, at + 2, value);
    }
    at = writeFrameHead(out, at, 4, WINDOW_UPDATE, 0, 0);
    this.#end = writeUint32(out, at, CONNECTION_WINDOW - 65_535);
    this.#schedule();
  }

  get closed(): boolean {
    return this.#closed;
  }
  get streams(): number {
    return this.#streams.size;
  }
  /** Another request may be sent. */
  get open(): boolean {
    return !this.#closed && !this.#retired && this.#streams.size < this.#maxStreams;
  }
  [Symbol.iterator](): IterableIterator<ClientStream> {
    return this.#streams.values();
  }

  // ---- requests

  /** Sends a request's head. `ends`: it has no body. */
  request(owner: StreamOwner, fields: readonly (readonly [string, string])[], ends: boolean): ClientStream {
    const stream = new ClientStream(this, this.#nextId, owner, this.#settings.initialWindow, STREAM_WINDOW);
    this.#nextId += 2;
    if (this.#nextId > STREAM_MAX - 2) this.retire();
    this.#streams.set(stream.id, stream);
    stream.sentAll = ends;
    let room = 1;
    for (const [name, value] of fields) room += fieldRoom(name, value);
    const block = new Uint8Array(room);
    let size = 0;
    if (!this.#saidTable) block[size++] = NO_TABLE;
    this.#saidTable = true;
    for (const [name, value] of fields) size = writeField(block, size, name, value);
    for (let at = 0, type = HEADERS; type === HEADERS || at < size; type = CONTINUATION) {
      const length = Math.min(FRAME_MAX, size - at);
      const last = at + length === size ? END_HEADERS : 0;
      const out = this.#reserve(FRAME_HEAD + length);
      const flags = last | (type === HEADERS && ends ? END_STREAM : 0);
      const from = writeFrameHead(out, this.#end, length, type, flags, stream.id);
      out.set(block.subarray(at, at + length), from);
      this.#end = from + length;
      at += length;
    }
    this.#schedule();
    return stream;
  }

  /** As much of `bytes[at, …)` as windows and the socket take; how much that was. `ends`: they are the last. */
  sendData(stream: ClientStream, bytes: Uint8Array, at: number, ends: boolean): number {
    let sent = at;
    for (;;) {
      if (this.#closed || this.#blocked) break;
      const length = Math.min(FRAME_MAX, bytes.length - sent, stream.window, this.#window);
      if (length <= 0 && sent < bytes.length) break;
      const last = ends && sent + length === bytes.length;
      if (length === 0 && !last) break;
      const out = this.#reserve(FRAME_HEAD + length);
      const from = writeFrameHead(out, this.#end, length, DATA, last ? END_STREAM : 0, stream.id);
      out.set(bytes.subarray(sent, sent + length), from);
      this.#end = from + length;
      this.#schedule();
      sent += length;
      this.#idleFrames = Math.max(0, this.#idleFrames - IDLE_FRAMES_PER_DATA);
      stream.window -= length;
      this.#window -= length;
      if (last) {
        stream.sentAll = true;
        this.#endIfDone(stream);
        break;
      }
      // Others have something to say as well.
      if (sent === bytes.length || sent - at >= BURST) break;
    }
    return sent - at;
  }

  /** Whether bytes of it would leave now. */
  takes(stream: ClientStream): boolean {
    return !this.#closed && !this.#blocked && stream.window > 0 && this.#window > 0;
  }

  /** Ends a stream whose owner wants no more of it. */
  cancel(stream: ClientStream, code: number = CANCEL): void {
    if (!this.#streams.has(stream.id)) return;
    this.#control(RST_STREAM, stream.id, code);
    this.#remove(stream);
  }

  /** The owner has read: what it has may come anew. */
  refill(stream: ClientStream): void {
    if (this.#closed) return;
    if (!stream.ended && this.#streams.has(stream.id) && !stream.owner.paused) {
      const owed = STREAM_WINDOW - stream.left - stream.owner.unread;
      if (owed >= STREAM_WINDOW >> 2) {
        stream.left += owed;
        this.#control(WINDOW_UPDATE, stream.id, owed);
      }
    }
    if (this.#left > CONNECTION_WINDOW >> 1) return;
    let unread = 0;
    for (const { owner } of this.#streams.values()) unread += owner.unread;
    const owed = CONNECTION_WINDOW - this.#left - unread;
    if (owed < CONNECTION_WINDOW >> 3) return;
    this.#left += owed;
    this.#control(WINDOW_UPDATE, 0, owed);
  }

  /** Says that it ends, and ends. */
  close(): void {
    if (this.#closed) return;
    this.#goAway(NO_ERROR);
    this.#over();
  }

  /** It is lost, with all that it carries. */
  lose(why: string, cause?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.owner.lost(why, { unprocessed: false, untouched: !stream.answered, cause });
    this.#host.over();
  }

  // ---- what the poller tells

  received(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.feed(bytes, start, end, this);
  }
  sent(): void {
    this.#blocked = false;
    this.#flush();
    this.#pump();
  }

  // ---- frames

  frame(type: number, flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (!this.#greeted && type !== SETTINGS) return this.fail(PROTOCOL_ERROR, "its first frame is not SETTINGS");
    if (this.#blockOf !== 0 && (type !== CONTINUATION || id !== this.#blockOf)) {
      return this.fail(PROTOCOL_ERROR, "a frame stands within a header block");
    }
    switch (type) {
      case HEADERS:
        return this.#headers(flags, id, bytes, start, end);
      case CONTINUATION:
        if (this.#blockOf === 0) return this.fail(PROTOCOL_ERROR, "CONTINUATION without a header block");
        return this.#fragment(flags, bytes, start, end);
      case SETTINGS:
        return this.#onSettings(flags, id, bytes, start, end);
      case WINDOW_UPDATE:
        if (size !== 4) return this.fail(FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
        return this.#onWindow(id, readUint31(bytes, start));
      case RST_STREAM:
        if (size !== 4) return this.fail(FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
        if (this.#isIdle(id)) return this.fail(PROTOCOL_ERROR, "RST_STREAM of a stream that nobody has opened");
        return this.#onReset(id, readUint32(bytes, start));
      case PING:
        if (size !== 8) return this.fail(FRAME_SIZE_ERROR, "PING of a wrong size");
        if (id !== 0) return this.fail(PROTOCOL_ERROR, "PING on a stream");
        return (flags & ACK) === 0 ? this.#pong(bytes, start) : undefined;
      case GOAWAY:
        if (size < 8) return this.fail(FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
        if (id !== 0) return this.fail(PROTOCOL_ERROR, "GOAWAY on a stream");
        return this.#onGoAway(readUint31(bytes, start), readUint32(bytes, start + 4));
      case PUSH_PROMISE:
        return this.fail(PROTOCOL_ERROR, "it pushes, though we have said that it must not");
      default:
        // RFC 9113, 4.1 and 5.5: what we don't know is ignored, and PRIORITY means nothing here.
        this.#costs();
    }
  }

  #headers(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0 || this.#isIdle(id)) return this.fail(PROTOCOL_ERROR, "HEADERS of a stream that nobody has opened");
    let padding = 0;
    if (flags & PADDED) padding = start < end ? bytes[start++] : end;
    if (flags & HAS_PRIORITY) start += 5;
    if (start + padding > end) return this.fail(PROTOCOL_ERROR, "padding that is longer than its frame");
    this.#blockOf = id;
    this.#blockEnds = (flags & END_STREAM) !== 0;
    this.#fragment(flags, bytes, start, end - padding);
  }

  #fragment(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const ends = (flags & END_HEADERS) !== 0;
    if (!ends || this.#parts.length > 0) {
      this.#parts.push(Uint8Array.prototype.slice.call(bytes, start, end));
      this.#partsSize += end - start;
      if (this.#partsSize > MAX_HEAD || this.#parts.length > MAX_FRAGMENTS) {
        return this.fail(ENHANCE_YOUR_CALM, `a header block is larger than ${MAX_HEAD / 1024} KiB`);
      }
      if (!ends) return;
      bytes = Buffer.concat(this.#parts);
      start = 0;
      end = bytes.length;
      this.#parts = [];
      this.#partsSize = 0;
    }
    const id = this.#blockOf;
    this.#blockOf = 0;
    headText.begin();
    // Also for a stream that is gone: the table is the connection's.
    if (!this.#decoder.decode(bytes, start, end, headText)) {
      return this.fail(COMPRESSION_ERROR, "a header block is malformed");
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#costs();
    this.#idleFrames = 0;
    if (stream.ended) return this.#malformed(stream, "HEADERS behind its end", STREAM_CLOSED);
    this.#head(stream, this.#blockEnds);
  }

  #head(stream: ClientStream, ends: boolean): void {
    const { status, text, bad } = headText;
    if (bad !== "") return this.#malformed(stream, bad);
    if (stream.answered) {
      // Trailers (RFC 9113, 8.1), which are dropped as HTTP/1.1's are.
      if (!ends || status !== "") return this.#malformed(stream, "a second head in it");
      return this.#ended(stream);
    }
    if (status === "") return this.#malformed(stream, "it has no status");
    if (status.charCodeAt(0) === 0x31) {
      if (ends || status === "101") return this.#malformed(stream, "it ends with, or changes to, what is no response");
      if (++stream.interim > 32) return this.#malformed(stream, "it has more than 32 interim responses");
      return;
    }
    stream.answered = true;
    const why = stream.owner.head(Buffer.from(`HTTP/1.1 ${status} ${text}\r\n\r\n`, "latin1"), ends);
    if (why !== "") return this.#malformed(stream, why);
    if (ends && this.#streams.has(stream.id)) this.#ended(stream);
  }

  dataBegan(id: number, flags: number, length: number): void {
    if (!this.#greeted) return this.fail(PROTOCOL_ERROR, "its first frame is not SETTINGS");
    if (this.#blockOf !== 0) return this.fail(PROTOCOL_ERROR, "a frame stands within a header block");
    if (id === 0 || this.#isIdle(id)) return this.fail(PROTOCOL_ERROR, "DATA of a stream that nobody has opened");
    this.#left -= length;
    if (this.#left < 0) return this.fail(FLOW_CONTROL_ERROR, "it sends more than the connection's window allows");
    this.#dataEnds = (flags & END_STREAM) !== 0;
    const stream = this.#streams.get(id);
    this.#dataStream = stream;
    if (length === 0 && !this.#dataEnds) return this.#costs();
    this.#idleFrames = 0;
    if (stream === undefined) return;
    if (!stream.answered || stream.ended) {
      this.#dataStream = undefined;
      return this.#malformed(stream, stream.ended ? "DATA behind its end" : "DATA before its head", PROTOCOL_ERROR);
    }
    stream.left -= length;
    if (stream.left < 0) {
      this.#dataStream = undefined;
      this.#malformed(stream, "it sends more than its window allows", FLOW_CONTROL_ERROR);
    }
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === undefined || !this.#streams.has(stream.id)) return;
    const why = stream.owner.data(bytes, start, end);
    if (why !== "") this.#malformed(stream, why);
  }

  dataEnded(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream === undefined || !this.#streams.has(stream.id)) {
      // Of a stream that is gone: its bytes are nobody's, and the connection's window gets them back.
      return this.#giveBack();
    }
    if (this.#dataEnds) this.#ended(stream);
    else this.refill(stream);
    if (this.#dataEnds) this.#giveBack();
  }

  #giveBack(): void {
    const [any] = this.#streams.values();
    if (any !== undefined) return this.refill(any);
    if (this.#closed || this.#left > CONNECTION_WINDOW >> 1) return;
    this.#control(WINDOW_UPDATE, 0, CONNECTION_WINDOW - this.#left);
    this.#left = CONNECTION_WINDOW;
  }

  #onSettings(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) return this.fail(PROTOCOL_ERROR, "SETTINGS on a stream");
    if (flags & ACK) {
      if (start < end) this.fail(FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS with a payload");
      return;
    }
    this.#costs();
    const before = this.#settings.initialWindow;
    const code = this.#settings.read(bytes, start, end);
    if (code !== NO_ERROR) return this.fail(code, "its SETTINGS are malformed");
    for (let at = start; at < end; at += 6) {
      const name = (bytes[at] << 8) | bytes[at + 1];
      const value = readUint32(bytes, at + 2);
      if (name === SETTINGS_MAX_CONCURRENT_STREAMS) this.#maxStreams = value;
      if (name === SETTINGS_ENABLE_PUSH && value !== 0) return this.fail(PROTOCOL_ERROR, "it wants to be pushed to");
    }
    // RFC 9113, 6.9.2: what there is moves with it, below zero if need be.
    const change = this.#settings.initialWindow - before;
    for (const stream of this.#streams.values()) {
      stream.window += change;
      if (stream.window > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "a window that is too large");
    }
    this.#greeted = true;
    const out = this.#reserve(FRAME_HEAD);
    this.#end = writeFrameHead(out, this.#end, 0, SETTINGS, ACK, 0);
    this.#answers += FRAME_HEAD;
    this.#schedule();
    if (change > 0) this.#pump();
    this.#host.streamsChanged();
  }

  #onWindow(id: number, more: number): void {
    if (id === 0) {
      if (more === 0) return this.fail(PROTOCOL_ERROR, "a WINDOW_UPDATE of nothing");
      this.#window += more;
      if (this.#window > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "a window that is too large");
    } else {
      if (this.#isIdle(id)) return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE of a stream that nobody has opened");
      const stream = this.#streams.get(id);
      if (stream === undefined) return this.#costs();
      if (more === 0) return this.#malformed(stream, "a WINDOW_UPDATE of nothing");
      stream.window += more;
      if (stream.window > WINDOW_MAX) return this.#malformed(stream, "a window that is too large", FLOW_CONTROL_ERROR);
    }
    this.#costs();
    if (!this.#closed) this.#pump();
  }

  #onReset(id: number, code: number): void {
    this.#costs();
    const stream = this.#streams.get(id);
    if (stream === undefined || this.#closed) return;
    // RFC 9113, 8.1: it has answered, and wants no more of the request.
    if (stream.ended && code === NO_ERROR) {
      this.#remove(stream);
      stream.owner.uploadRefused();
      return;
    }
    this.#remove(stream);
    const unprocessed = code === REFUSED_STREAM;
    // What asks for another protocol has not done what was asked for.
    const http1 = code === HTTP_1_1_REQUIRED && !stream.answered;
    const why = `the server reset the request's stream (${errorName(code)})`;
    stream.owner.lost(why, { unprocessed: unprocessed || http1, untouched: false, http1 });
  }

  #onGoAway(last: number, code: number): void {
    this.retire();
    const http1 = code === HTTP_1_1_REQUIRED;
    // RFC 9113, 6.8: those beyond were not and will not be looked at.
    for (const stream of [...this.#streams.values()]) {
      if (stream.id <= last || this.#closed) continue;
      this.#remove(stream);
      const why = `the server has ended the connection (${errorName(code)})`;
      stream.owner.lost(why, { unprocessed: true, untouched: true, http1 });
    }
  }

  #pong(bytes: Uint8Array, start: number): void {
    this.#costs();
    if (this.#closed) return;
    const out = this.#reserve(FRAME_HEAD + 8);
    const at = writeFrameHead(out, this.#end, 8, PING, ACK, 0);
    out.set(bytes.subarray(start, start + 8), at);
    this.#end = at + 8;
    this.#answers += FRAME_HEAD + 8;
    this.#schedule();
  }

  /** The connection's error (RFC 9113, 5.4.1). */
  fail(code: number, why: string): void {
    if (this.#closed) return;
    this.#goAway(code);
    this.#closed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { owner } of streams) owner.broken(`${why} (${errorName(code)})`);
    this.#host.over();
  }

  /** A stream's (5.4.2): the others go on. */
  #malformed(stream: ClientStream, why: string, code: number = PROTOCOL_ERROR): void {
    this.cancel(stream, code);
    stream.owner.broken(why);
  }

  #ended(stream: ClientStream): void {
    stream.ended = true;
    const why = stream.owner.ended();
    if (why !== "") return this.#malformed(stream, why);
    this.#endIfDone(stream);
  }

  #endIfDone(stream: ClientStream): void {
    if (stream.ended && stream.sentAll) this.#remove(stream);
  }

  #remove(stream: ClientStream): void {
    if (!this.#streams.delete(stream.id)) return;
    if (this.#retired && this.#streams.size === 0) this.#over();
    else this.#host.streamsChanged();
  }

  /** No new requests; it ends with those that there are. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#host.retired();
    if (this.#streams.size === 0) this.#over();
  }

  /** At once, but not within what the server has said: its owners are told first. */
  #over(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#host.over();
  }

  #isIdle(id: number): boolean {
    return (id & 1) === 0 || id >= this.#nextId;
  }

  /** A frame that brings nothing. */
  #costs(): void {
    if (++this.#idleFrames <= MAX_IDLE_FRAMES) return;
    const now = monotonicNow();
    this.#idleFrames = Math.max(1, this.#idleFrames - (now - this.#idleSince) * IDLE_FRAMES_PER_MS);
    this.#idleSince = now;
    if (this.#idleFrames > MAX_IDLE_FRAMES) this.fail(ENHANCE_YOUR_CALM, "it sends nothing but frames without use");
  }

  /** Bodies go on, in turns. */
  #pump(): void {
    for (const stream of [...this.#streams.values()]) {
      if (this.#closed || this.#blocked) return;
      if (!stream.sentAll) stream.owner.mayWrite();
    }
  }

  // ---- what is sent

  #control(type: typeof RST_STREAM | typeof WINDOW_UPDATE, id: number, value: number): void {
    if (this.#closed) return;
    const out = this.#reserve(FRAME_HEAD + 4);
    this.#end = writeUint32(out, writeFrameHead(out, this.#end, 4, type, 0, id), value);
    this.#answers += FRAME_HEAD + 4;
    this.#schedule();
  }

  #goAway(code: number): void {
    const out = this.#reserve(FRAME_HEAD + 8);
    const at = writeFrameHead(out, this.#end, 8, GOAWAY, 0, 0);
    this.#end = writeUint32(out, writeUint32(out, at, 0), code);
    this.#flush();
  }

  #reserve(size: number): Outgoing {
    if (this.#batch !== undefined && this.#end + size > this.#batch.length) {
      if (!this.#blocked) this.#flush();
      if (this.#batch !== undefined && this.#end + size > this.#batch.length) {
        const larger = newBatch(Math.max(this.#batch.length * 2, this.#end + size));
        larger.set(this.#batch.subarray(0, this.#end));
        this.#batch = larger;
      }
    }
    return (this.#batch ??= newBatch(Math.max(BATCH, size)));
  }

  /** What is said in one moment leaves together. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#batch === undefined || this.#end === 0) return;
    if (this.#blocked) {
      if (this.#answers > MOST_WAITING) this.lose("the server takes nothing of what it makes us say");
      return;
    }
    const result = this.#transport.send(this.handle, this.#batch, 0, this.#end);
    this.#end = 0;
    this.#answers = 0;
    this.#batch = undefined;
    if (result < 0) return this.lose("the connection broke while a request was sent");
    if (result === SENDING) this.#blocked = true;
  }
}

/** What one body may send before the others get their turn. */
const BURST = 64 * 1024;

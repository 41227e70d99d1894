/**
 * HTTP/2 to a server that has chosen it by ALPN: one connection carries all calls to it, each a stream (src/http2). A call
 * sees what it sees of a connection of HTTP/1.1: it begins, is answered with a head that the same parser has read, and
 * its body is the same `IncomingBody`.
 *
 * All streams share the one deadline of their connection, which is set for the nearest of them.
 */
import type { Handle } from "../../ffi/poller.ts";
import type { LightBody } from "../fetch/mod.ts";
import { latin1 } from "../http/exchange.ts";
import { IncomingBody } from "../http/incoming-body.ts";
import { type ClientHost, ClientHttp2 } from "../http2/client-connection.ts";
import type { ClientStream, Loss, StreamOwner } from "../http2/client-stream.ts";
import type { Runtime } from "../runtime/turn.ts";
import type { Caller, Carried, Carrier, ClientSink } from "./connection.ts";
import { bodyMalformed, bodyTimedOut, cutShort, fetchFailed, malformed, timedOut, uploadFailed } from "./errors.ts";
import { COMPLETE, ResponseParser } from "./response-parser.ts";

/** Body bytes that wait for who fetched them; more stay with the server, within the stream's window. */
const HIGH_WATER = 64 * 1024;
const EMPTY = new Uint8Array(0);
const parser = new ResponseParser();

/** Whose connection it is. */
export interface Http2Pool {
  readonly runtime: Runtime;
  /** A stream may be opened, or the last one has ended. */
  changed(connection: Http2Connection): void;
  /** It takes no more calls. */
  retired(connection: Http2Connection): void;
  gone(connection: Http2Connection): void;
  idleExpired(): void;
  /** The server wants what it was asked over HTTP/1.1. */
  http1Required(): void;
}

export class Http2Connection implements Carried, ClientHost {
  readonly handle: Handle;
  readonly runtime: Runtime;
  readonly #pool: Http2Pool;
  readonly #sink: ClientSink;
  readonly #http2: ClientHttp2;
  /** When it was heard of last, and when its nearest deadline is. */
  heardAt: number;
  #nearest = Number.POSITIVE_INFINITY;
  #gone = false;

  constructor(pool: Http2Pool, handle: Handle, sink: ClientSink) {
    this.#pool = pool;
    this.runtime = pool.runtime;
    this.handle = handle;
    this.#sink = sink;
    this.heardAt = this.runtime.now;
    this.#http2 = new ClientHttp2(sink.poller, handle, this);
    sink.add(this);
    sink.poller.receive(handle);
  }

  get gone(): boolean {
    return this.#gone;
  }
  /** Another call may begin. */
  get open(): boolean {
    return !this.#gone && this.#http2.open;
  }
  get calls(): number {
    return this.#http2.streams;
  }

  stream(): Carrier {
    return new Http2Call(this, this.#http2);
  }

  /** The nearest deadline is met by looking at all of them: moving one later costs nothing. */
  arm(at: number): void {
    if (at >= this.#nearest || this.#gone) return;
    this.#nearest = at;
    this.runtime.setDeadline(this.handle, at);
  }
  /** Nobody calls: how long it stays. */
  rest(until: number): void {
    this.#nearest = Number.POSITIVE_INFINITY;
    this.runtime.setDeadline(this.handle, until === Number.POSITIVE_INFINITY ? 0 : until);
    this.#sink.rested(this.handle);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    this.heardAt = this.runtime.now;
    this.#http2.received(bytes, start, end);
  }
  sent(): void {
    this.#http2.sent();
  }
  ended(): void {
    this.#http2.lose("the server closed the connection before it answered");
  }
  failed(errno: number): void {
    const error = this.#sink.why(errno);
    this.#http2.lose(error.message, error);
  }
  expired(): void {
    this.#nearest = Number.POSITIVE_INFINITY;
    if (this.#http2.streams === 0) {
      this.#pool.idleExpired();
      return this.close();
    }
    const { now } = this.runtime;
    for (const { owner } of [...this.#http2]) if (owner instanceof Http2Call) owner.expire(now);
    for (const { owner } of this.#http2) if (owner instanceof Http2Call) this.arm(owner.due);
  }

  close(): void {
    this.#http2.close();
  }

  streamsChanged(): void {
    if (!this.#gone) this.#pool.changed(this);
  }
  retired(): void {
    this.#pool.retired(this);
  }
  /** From here on, calls to it go over HTTP/1.1; those that it has begun may end. */
  http1Required(): void {
    this.#pool.http1Required();
  }
  /** Others should not wait there: a call has done so in vain, and nothing at all has come meanwhile; or it is no use. */
  mistrust(): void {
    this.#http2.retire();
  }
  over(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#sink.remove(this);
    this.#pool.gone(this);
    this.#sink.close(this.handle);
  }
}

class Http2Call implements Carrier, StreamOwner {
  /** When it has waited too long; Infinity while it is the program that is waited for. */
  due = Number.POSITIVE_INFINITY;
  readonly #connection: Http2Connection;
  readonly #http2: ClientHttp2;
  #stream: ClientStream | undefined;
  #call: Caller | undefined;
  #since = 0;
  #body: IncomingBody | undefined;
  #length = -1;
  #waiting = true;
  /** What is left of the request's body: bytes from `#at` on, and a stream behind them. */
  #rest: Uint8Array = EMPTY;
  #at = 0;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #reading = false;

  constructor(connection: Http2Connection, http2: ClientHttp2) {
    this.#connection = connection;
    this.#http2 = http2;
  }

  begin(call: Caller, head: string | Uint8Array<ArrayBuffer>, body: LightBody, framing: number): void {
    this.#call = call;
    this.#since = this.#connection.runtime.now;
    const text = typeof head === "string" ? head : latin1(head, 0, head.length);
    const empty = body === null || framing === 0;
    this.#stream = this.#http2.request(this, fieldsOf(text), empty);
    if (empty) return this.#arm(call.headerTimeout);
    if (typeof body === "string") this.#rest = Buffer.from(body);
    else if (body instanceof Uint8Array) this.#rest = body;
    else this.#reader = (body instanceof Blob ? body.stream() : body).getReader();
    this.#arm(call.bodyTimeout);
    this.mayWrite();
  }

  // ---- the request's body

  mayWrite(): void {
    const stream = this.#stream;
    const call = this.#call;
    if (stream === undefined || stream.sentAll || call === undefined) return;
    const last = this.#reader === undefined;
    if (this.#at < this.#rest.length || last) {
      const sent = this.#http2.sendData(stream, this.#rest, this.#at, last);
      this.#at += sent;
      if (stream.sentAll) return this.#arm(call.headerTimeout);
      if (sent > 0) this.#arm(call.bodyTimeout);
      if (this.#at < this.#rest.length || last) {
        // It had its turn. Where windows or the socket are what it waits for, it is told.
        if (this.#http2.takes(stream)) setImmediate(() => this.mayWrite());
        return;
      }
    }
    if (this.#reader !== undefined && !this.#reading) void this.#readOn(this.#reader, stream);
  }

  async #readOn(reader: ReadableStreamDefaultReader<Uint8Array>, stream: ClientStream): Promise<void> {
    this.#reading = true;
    // Its own stream may take its time.
    if (this.#waiting) this.due = Number.POSITIVE_INFINITY;
    try {
      const { done, value } = await reader.read();
      this.#reading = false;
      if (this.#stream !== stream || this.#call === undefined) return;
      if (done) {
        this.#reader = undefined;
        this.#rest = EMPTY;
        this.#at = 0;
        this.#arm(this.#call.bodyTimeout);
        return this.mayWrite();
      }
      if (!(value instanceof Uint8Array)) throw new TypeError("a request's stream must give Uint8Arrays");
      this.#rest = value;
      this.#at = 0;
      this.#arm(this.#call.bodyTimeout);
      this.mayWrite();
    } catch (error) {
      this.#reading = false;
      const call = this.#call;
      if (call === undefined) return;
      this.#http2.cancel(stream);
      this.#fail(uploadFailed(error), false, false);
    }
  }

  uploadRefused(): void {
    this.#stopUpload(new DOMException("the server takes no more of the request", "AbortError"));
  }

  #stopUpload(reason: unknown): void {
    this.#reader?.cancel(reason).catch(() => {});
    this.#reader = undefined;
    this.#rest = EMPTY;
    this.#at = 0;
  }

  // ---- the response

  get unread(): number {
    return this.#body?.unread ?? 0;
  }
  get paused(): boolean {
    return this.#body?.paused ?? false;
  }

  head(bytes: Buffer, ends: boolean): string {
    const call = this.#call;
    if (call === undefined) return "";
    if (parser.parse(bytes, 0, bytes.length) !== COMPLETE) return parser.reason;
    const { status, contentLength } = parser;
    this.#waiting = false;
    const bodiless = call.method === "HEAD" || status === 204 || status === 304;
    this.#length = bodiless ? 0 : contentLength;
    if (ends && this.#length > 0) return "its body is shorter than its Content-Length";
    if (ends) {
      call.answered(this, parser, bytes, 0, bodiless ? null : EMPTY);
      return "";
    }
    const body = new IncomingBody(this, Number.POSITIVE_INFINITY, HIGH_WATER);
    this.#body = body;
    call.answered(this, parser, bytes, 0, body);
    if (this.#call !== undefined && !body.paused) this.#arm(call.bodyTimeout);
    return "";
  }

  data(bytes: Uint8Array, start: number, end: number): string {
    const body = this.#body;
    if (body === undefined) return "";
    if (this.#length >= 0 && body.received + end - start > this.#length) return "its body is longer than it said";
    body.feed(bytes, start, end);
    if (!body.paused && this.#call !== undefined) this.#arm(this.#call.bodyTimeout);
    return "";
  }

  ended(): string {
    const body = this.#body;
    if (body !== undefined && this.#length >= 0 && body.received < this.#length) {
      return "its body is shorter than its Content-Length";
    }
    const call = this.#call;
    this.#call = undefined;
    this.due = Number.POSITIVE_INFINITY;
    // It has answered without the rest of the request.
    if (this.#stream?.sentAll === false) {
      const stream = this.#stream;
      queueMicrotask(() => this.#http2.cancel(stream));
      this.#stopUpload(new DOMException("the server has answered already", "AbortError"));
    }
    body?.end();
    call?.over(this);
    return "";
  }

  lost(why: string, { unprocessed, untouched, http1, cause }: Loss): void {
    const call = this.#call;
    if (call === undefined) return;
    if (http1) this.#connection.http1Required();
    this.#fail(this.#waiting ? fetchFailed(call.url, why, cause) : cutShort(call.url), untouched, unprocessed);
  }

  broken(why: string): void {
    const url = this.#call?.url;
    if (url !== undefined) this.#fail(this.#waiting ? malformed(url, why) : bodyMalformed(url, why), false, false);
  }

  expire(now: number): void {
    const call = this.#call;
    if (call === undefined || this.due > now) return;
    if (this.#connection.heardAt <= this.#since) this.#connection.mistrust();
    const stream = this.#stream;
    let error: TypeError;
    if (this.#body !== undefined) {
      call.timedOut("body");
      error = bodyTimedOut(call.url, `no byte of the response's body came for ${shown(call.bodyTimeout)}`);
    } else if (stream?.sentAll === true) {
      call.timedOut("header");
      error = timedOut(call.url, `no response came within ${shown(call.headerTimeout)}`);
    } else {
      call.timedOut("body");
      error = timedOut(call.url, `the server took nothing of the request's body for ${shown(call.bodyTimeout)}`);
    }
    this.#fail(error, false, false);
    if (stream !== undefined) this.#http2.cancel(stream);
  }

  // ---- what the body asks

  pauseBody(): void {
    this.due = Number.POSITIVE_INFINITY;
  }
  resumeBody(): void {
    if (this.#call === undefined || this.#stream === undefined) return;
    this.#arm(this.#call.bodyTimeout);
    this.#http2.refill(this.#stream);
  }
  bodyWanted(): void {}
  bodyCancelled(): void {
    this.#giveUp();
  }

  drop(body: IncomingBody | undefined = this.#body): void {
    if (body !== undefined && this.#body === body) this.#giveUp();
  }

  /** A stream of its own: nothing is gained by reading on. */
  #giveUp(): void {
    const call = this.#call;
    this.#call = undefined;
    this.due = Number.POSITIVE_INFINITY;
    this.#stopUpload(new DOMException("the response is not wanted", "AbortError"));
    this.#body?.discard();
    if (this.#stream !== undefined) this.#http2.cancel(this.#stream);
    call?.over(this);
  }

  abort(reason: unknown): void {
    if (this.#call === undefined) return;
    const stream = this.#stream;
    this.#fail(reason, false, false);
    if (stream !== undefined) this.#http2.cancel(stream);
  }

  #fail(error: unknown, untouched: boolean, unprocessed: boolean): void {
    const call = this.#call;
    this.#call = undefined;
    this.due = Number.POSITIVE_INFINITY;
    this.#stopUpload(error);
    this.#body?.fail(error);
    call?.over(this);
    if (this.#waiting) call?.lost(error, untouched, unprocessed);
  }

  #arm(timeout: number): void {
    if (timeout === Number.POSITIVE_INFINITY) {
      this.due = timeout;
      return;
    }
    this.due = this.#connection.runtime.now + timeout;
    this.#connection.arm(this.due);
  }
}

/** HTTP/1.1's head as HTTP/2 says it (RFC 9113, 8.3.1). */
function fieldsOf(head: string): [string, string][] {
  const lines = head.slice(0, -4).split("\r\n");
  const [method, path] = lines[0].split(" ", 2);
  const fields: [string, string][] = [
    [":method", method],
    [":scheme", "https"],
    [":authority", ""],
    [":path", path],
  ];
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i].indexOf(":");
    const name = lines[i].slice(0, colon);
    // Cut: white space around a value makes a request malformed (8.2.1).
    const value = lines[i].slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (name === "host") fields[2][1] = value;
    else if (name !== "transfer-encoding") fields.push([name, value]);
  }
  return fields;
}

function shown(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

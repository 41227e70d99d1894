/**
 * One connection to a server: a request leaves, its response is parsed where the kernel put it, and the connection is
 * idle again. While it is, it owns nothing but a row of the poller, and holds no process alive.
 *
 * States: **idle** (no call) → **waiting** for a head (a call) → **receiving** a body (a body) → idle, or closed. While it
 * waits or receives, the request's body may still be leaving.
 */
import { type Handle, SENT, type Sink, type Transport } from "../../ffi/poller.ts";
import type { LightBody } from "../fetch/mod.ts";
import { EarlyInput } from "../http/early-input.ts";
import type { TrailerFields } from "../http/extras.ts";
import { type BodyOwner, IncomingBody } from "../http/incoming-body.ts";
import { outgoingBuffer } from "../http/outgoing.ts";
import { freed } from "../net/lent.ts";
import { errnoError } from "../runtime/errno.ts";
import type { Runtime } from "../runtime/turn.ts";
import {
  bodyFailed,
  bodyMalformed,
  bodyTimedOut,
  closedEarly,
  cutShort,
  fetchFailed,
  malformed,
  timedOut,
  uploadFailed,
} from "./errors.ts";
import { COMPLETE, INCOMPLETE, ResponseParser } from "./response-parser.ts";
import { Upload } from "./upload.ts";

/** Body bytes that wait for who fetched them; receiving pauses beyond. */
const HIGH_WATER = 64 * 1024;
/** What its server says it keeps an idle connection for is cut by so much: a request takes time to get there. */
const MARGIN_MS = 1_000;
/** Body bytes that are read and dropped to keep the connection; it is closed beyond. */
const MAX_DROPPED = 64 * 1024;
/** Interim responses (RFC 9110, 15.2) before the one that counts. */
const MAX_INTERIM = 32;

/** What carries a call: a connection of HTTP/1.1, or a stream of HTTP/2. */
export interface Carrier {
  begin(call: Caller, head: string | Uint8Array<ArrayBuffer>, body: LightBody, framing: number): void;
  /** Nobody wants the rest of the response. */
  drop(body?: IncomingBody): void;
  abort(reason: unknown): void;
}

/** Whose request a connection carries. */
export interface Caller {
  readonly method: string;
  readonly url: string;
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  /** A head has come, which the parser's fields tell of until this returns. */
  answered(connection: Carrier, parser: ResponseParser, bytes: Uint8Array, start: number, body: Received): void;
  /**
   * No response comes. `untouched`: not a byte of one has, on a connection that others had used before. `unprocessed`: the
   * server has said that it has not looked at the request (RFC 9113, 8.7).
   */
  lost(error: unknown, untouched: boolean, unprocessed?: boolean): void;
  /** The response's last byte has come, or never will. */
  over(connection: Carrier): void;
  timedOut(which: "header" | "body"): void;
  /** Behind a body that leaves in chunks. */
  readonly trailers?: TrailerFields | undefined;
  /** A 103 has come, before the response (RFC 8297); without this method nobody wants to know. */
  hinted?(parser: ResponseParser, bytes: Uint8Array, start: number): void;
  /** The server changes to the protocol that was asked for; without this method none was. */
  switched?(connection: ClientConnection, parser: ResponseParser, bytes: Uint8Array, start: number): Switched;
}

/** Who has a connection that has left HTTP (RFC 9110, 7.8). */
export interface Switched {
  /** Lent, as the poller's bytes are. */
  received(bytes: Uint8Array, start: number, end: number): void;
  /** What waited has gone to the kernel. */
  sent(): void;
  /** The server's FIN. */
  ended(): void;
  /** It broke, and is closed. */
  failed(error: Error): void;
}

export type Received = null | Uint8Array<ArrayBuffer> | IncomingBody;

/** Whose connection it is between calls. */
export interface ConnectionPool {
  readonly runtime: Runtime;
  /** It may carry the next request. */
  freed(connection: ClientConnection): void;
  /** It is no more. */
  gone(connection: ClientConnection): void;
  idleExpired(): void;
}

/** Whose call is over although its response is not. */
const NOBODY = {
  method: "GET",
  headerTimeout: 0,
  answered() {},
  lost() {},
  over() {},
  timedOut() {},
};

const parser = new ResponseParser();
const EMPTY = new Uint8Array(0);

export class ClientConnection implements BodyOwner, Carrier, Carried {
  readonly host: { readonly poller: Transport };
  readonly handle: Handle;
  /** The last moment for another request, by what its server said; Infinity when it said nothing. */
  keptUntil = Number.POSITIVE_INFINITY;
  readonly #pool: ConnectionPool;
  readonly #runtime: Runtime;
  readonly #carrier: ClientSink;
  #call: Caller | undefined;
  /** The response's head is being waited for. */
  #waiting = false;
  #used = false;
  #touched = false;
  #interim = 0;
  #keepAlive = false;
  #input: EarlyInput | undefined;
  #body: IncomingBody | undefined;
  /** Nobody wants the body; it is read to its end all the same. */
  #dropping = false;
  #upload: Upload | undefined;
  #switched: Switched | undefined;
  #gone = false;

  /** `carrier`: what it is read and written through, as it is or over TLS. */
  constructor(pool: ConnectionPool, handle: Handle, carrier: ClientSink = plainSink(pool.runtime)) {
    this.#pool = pool;
    this.#runtime = pool.runtime;
    this.#carrier = carrier;
    this.host = carrier;
    this.handle = handle;
    carrier.add(this);
    carrier.poller.receive(handle);
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Something has come of the answer to the last request. */
  get touched(): boolean {
    return this.#touched;
  }

  // ---- a request leaves

  /** Carries a request whose bytes are `head`, and `body` behind them. `chunked` is how a stream leaves; else its length. */
  begin(call: Caller, head: string | Uint8Array<ArrayBuffer>, body: LightBody, framing: number): void {
    this.#call = call;
    this.#waiting = true;
    this.#touched = false;
    this.#interim = 0;
    const { now } = this.#runtime;
    const { poller } = this.#carrier;
    const out = freed(outgoingBuffer(poller.outgoing));
    let end = 0;
    if (typeof head !== "string") {
      out.set(head);
      end = head.length;
    } else if (head.length <= out.length) end = out.latin1Write(head, 0);
    else return this.#beginLong(head, body, framing);
    if (typeof body === "string" && end + framing <= out.length) {
      end += out.utf8Write(body, end);
    } else if (body instanceof Uint8Array && end + body.length <= out.length) {
      out.set(body, end);
      end += body.length;
    } else if (body !== null) {
      this.#upload = new Upload(this, end, body, framing, false, call.trailers);
      return;
    }
    this.#runtime.setDeadline(this.handle, deadline(now, call.headerTimeout));
    const result = poller.sendOutgoing(this.handle, 0, end);
    if (result < 0) this.#lose(errnoError(poller.constants, -result, "sending a request"));
  }

  /** A head that does not fit into the poller's memory. */
  #beginLong(head: string, body: LightBody, framing: number): void {
    const { poller } = this.#carrier;
    const bytes = Buffer.from(head, "latin1");
    const result = poller.send(this.handle, bytes, 0, bytes.length);
    if (result < 0) return this.#lose(errnoError(poller.constants, -result, "sending a request"));
    if (body !== null) this.#upload = new Upload(this, 0, body, framing, result !== SENT, this.#call?.trailers);
    else this.uploaded();
  }

  /** The body moves, or its stream is being waited for. */
  uploading(): void {
    if (this.#waiting && this.#call !== undefined) this.#arm(this.#call.bodyTimeout);
  }

  /** All of the request is with the kernel. */
  uploaded(): void {
    this.#upload = undefined;
    if (this.#waiting && this.#call !== undefined) this.#arm(this.#call.headerTimeout);
  }

  /** The request's body could not be made: nothing can end what has begun but the connection's end. */
  uploadFailed(error: unknown): void {
    this.#upload = undefined;
    const call = this.#call;
    if (call === undefined) return;
    this.#fail(uploadFailed(error), false);
  }

  /** The server takes no more of it. It may have said why, so what has come is still read. */
  uploadBroken(): void {
    this.#keepAlive = false;
    this.uploaded();
  }

  // ---- what the poller tells

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#body !== undefined) return this.#feed(bytes, start, end);
    // RFC 9112, 9.2: what nobody has asked for answers nobody.
    if (!this.#waiting) return this.#switched === undefined ? this.close() : this.#switched.received(bytes, start, end);
    this.#touched = true;
    let input = this.#input;
    if (input !== undefined) {
      input.add(bytes, start, end);
      if (!input.worthTrying()) return;
      ({ bytes, start, end } = input);
    }
    for (;;) {
      const result = parser.parse(bytes, start, end);
      if (result === INCOMPLETE) {
        if (input === undefined) input = this.#input = new EarlyInput(bytes, start, end);
        else input.served(start);
        input.triedInVain();
        return;
      }
      if (result !== COMPLETE) return this.#malformed(parser.reason);
      if (parser.status >= 200) break;
      if (parser.status === 101) return this.#switch(bytes, start, end);
      if (parser.status === 103) this.#call?.hinted?.(parser, bytes, start);
      if (++this.#interim > MAX_INTERIM) return this.#malformed(`it has more than ${MAX_INTERIM} interim responses`);
      start = parser.end;
      if (start === end) {
        this.#input = undefined;
        return;
      }
    }
    this.#input = undefined;
    this.#respond(bytes, start, end);
  }

  /** HTTP ends here. */
  #switch(bytes: Uint8Array, start: number, end: number): void {
    const call = this.#call;
    if (call?.switched === undefined) return this.#malformed("it changes to a protocol that nobody asked for");
    const at = parser.end;
    this.#waiting = false;
    this.#input = undefined;
    this.#runtime.setDeadline(this.handle, 0);
    const switched = call.switched(this, parser, bytes, start);
    if (this.#gone) return switched.failed(closedEarly(call.url));
    this.#switched = switched;
    if (at < end) switched.received(bytes, at, end);
  }

  /** Sends what another protocol says: the poller's SENT, SENDING or a negated errno. */
  sendSwitched(bytes: Uint8Array, start: number, end: number): number {
    return this.#gone ? SENT : this.host.poller.send(this.handle, bytes, start, end);
  }
  pauseSwitched(): void {
    if (!this.#gone) this.host.poller.pause(this.handle);
  }
  resumeSwitched(): void {
    if (!this.#gone) this.host.poller.receive(this.handle);
  }

  #respond(bytes: Uint8Array, start: number, end: number): void {
    const call = this.#call as Caller;
    const { status, contentLength, keptFor } = parser;
    this.#waiting = false;
    // RFC 9112, 6.3: what these are followed by is no body, whatever their fields say.
    const bodiless = call.method === "HEAD" || status === 204 || status === 304;
    const length = bodiless ? 0 : parser.chunked ? -1 : contentLength >= 0 ? contentLength : Number.POSITIVE_INFINITY;
    this.#keepAlive = parser.keepAlive && length < Number.POSITIVE_INFINITY;
    if (keptFor > MARGIN_MS) this.keptUntil = this.#runtime.now + keptFor - MARGIN_MS;
    else if (keptFor >= 0) this.#keepAlive = false;
    let at = parser.end;
    let body: Received;
    if (length >= 0 && end - at >= length) {
      body = bodiless ? null : length === 0 ? EMPTY : copied(bytes, at, at + length);
      at += length;
    } else {
      body = new IncomingBody(this, length, HIGH_WATER);
      this.#body = body;
      if (at < end) {
        at = body.feed(bytes, at, end);
        if (at < 0) {
          call.answered(this, parser, bytes, start, body);
          return this.#malformed("a chunk of its body has no valid size or end");
        }
      }
    }
    const whole = !(body instanceof IncomingBody) || body.complete;
    if (whole) this.#body?.ended();
    // Bytes behind the last one of a response are an answer to nothing: what else is wrong there nobody can know.
    if (whole && at < end) this.#keepAlive = false;
    call.answered(this, parser, bytes, start, body);
    if (this.#gone) return;
    if (whole) this.#completed();
    else if (body instanceof IncomingBody && !body.paused) this.#arm(call.bodyTimeout);
  }

  #feed(bytes: Uint8Array, start: number, end: number): void {
    const body = this.#body as IncomingBody;
    const at = body.feed(bytes, start, end);
    if (at < 0) return this.#malformed("a chunk of its body has no valid size or end");
    if (body.complete) {
      body.ended();
      if (at < end) this.#keepAlive = false;
      this.#completed();
    } else if (this.#dropping && body.received > MAX_DROPPED) this.close();
    else if (!body.paused && this.#call !== undefined) this.#arm(this.#call.bodyTimeout);
  }

  ended(): void {
    if (this.#switched !== undefined) return this.#switched.ended();
    const call = this.#call;
    if (call === undefined) return this.close();
    if (this.#body?.unframed && !this.#carrier.cutOff(this.handle)) {
      this.#body.end();
      this.#completed();
    } else if (this.#waiting) this.#lose(closedEarly(call.url));
    else this.#fail(cutShort(call.url), false);
  }

  failed(errno: number): void {
    const switched = this.#switched;
    if (switched === undefined) return this.#lose(this.#carrier.why(errno));
    const why = this.#carrier.why(errno);
    this.close();
    switched.failed(why);
  }

  sent(): void {
    this.#upload?.sent();
    this.#switched?.sent();
  }

  expired(): void {
    const call = this.#call;
    if (call === undefined) {
      this.#pool.idleExpired();
      return this.close();
    }
    if (this.#body !== undefined) {
      call.timedOut("body");
      return this.#fail(
        bodyTimedOut(call.url, `no byte of the response's body came for ${shown(call.bodyTimeout)}`),
        false,
      );
    }
    if (this.#upload === undefined) {
      call.timedOut("header");
      return this.#fail(timedOut(call.url, `no response came within ${shown(call.headerTimeout)}`), false);
    }
    // Its own stream may take its time.
    if (this.#upload.waiting) return this.#arm(call.bodyTimeout);
    call.timedOut("body");
    this.#fail(
      timedOut(call.url, `the server took nothing of the request's body for ${shown(call.bodyTimeout)}`),
      false,
    );
  }

  // ---- what the body asks

  pauseBody(): void {
    this.#carrier.poller.pause(this.handle);
    this.#runtime.setDeadline(this.handle, 0);
  }
  resumeBody(): void {
    if (this.#gone || this.#call === undefined) return;
    this.#carrier.poller.receive(this.handle);
    this.#arm(this.#call.bodyTimeout);
  }
  bodyWanted(): void {}
  bodyCancelled(): void {
    this.close();
  }

  /** Nobody wants the rest of the response: it is read to its end if that is near. */
  drop(body: IncomingBody | undefined = this.#body): void {
    if (body === undefined || this.#body !== body) return;
    this.#dropping = true;
    this.#call = { ...NOBODY, url: this.#call?.url ?? "", bodyTimeout: this.#call?.bodyTimeout ?? 0 };
    body.discard();
    if (body.outstanding > MAX_DROPPED && body.outstanding < Number.POSITIVE_INFINITY) this.close();
  }

  // ---- how it ends

  /** The program gives up. */
  abort(reason: unknown): void {
    this.#fail(reason, false);
  }

  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    const call = this.#call;
    this.#call = undefined;
    this.#body = undefined;
    this.#input = undefined;
    this.#switched = undefined;
    this.#upload?.stop();
    this.#upload = undefined;
    this.#carrier.remove(this);
    this.#pool.gone(this);
    this.#carrier.close(this.handle);
    call?.over(this);
  }

  #malformed(why: string): void {
    if (this.#call === undefined) return this.close();
    const { url } = this.#call;
    this.#fail(this.#waiting ? malformed(url, why) : bodyMalformed(url, why), false);
  }

  #lose(cause: unknown): void {
    const call = this.#call;
    if (call === undefined) return this.close();
    const failed = this.#waiting ? fetchFailed : bodyFailed;
    const error = cause instanceof TypeError ? cause : failed(call.url, (cause as Error).message, cause);
    this.#fail(error, this.#used && !this.#touched);
  }

  #fail(error: unknown, untouched: boolean): void {
    const call = this.#call;
    const body = this.#body;
    const waiting = this.#waiting;
    const upload = this.#upload;
    this.#waiting = false;
    this.close();
    upload?.cancel(error);
    body?.fail(error);
    if (waiting) call?.lost(error, untouched);
  }

  #completed(): void {
    const call = this.#call;
    this.#body = undefined;
    if (this.#upload !== undefined) {
      // It has answered without the rest of the request (RFC 9112, 9.3).
      const upload = this.#upload;
      this.close();
      upload.cancel(new DOMException("the server has answered already", "AbortError"));
      return;
    }
    this.#call = undefined;
    this.#dropping = false;
    this.#used = true;
    call?.over(this);
    if (!this.#keepAlive) return this.close();
    this.#carrier.rested(this.handle);
    this.#pool.freed(this);
  }

  #arm(timeout: number): void {
    this.#runtime.setDeadline(this.handle, deadline(this.#runtime.now, timeout));
  }
}

function deadline(now: number, timeout: number): number {
  return timeout === Number.POSITIVE_INFINITY ? 0 : now + timeout;
}

function shown(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** Not slice: that of a Buffer is a view. */
function copied(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.prototype.slice.call(bytes, start, end) as Uint8Array<ArrayBuffer>;
}

/** What a sink tells. */
export interface Carried {
  readonly handle: Handle;
  ended(): void;
  failed(errno: number): void;
  sent(): void;
  expired(): void;
  received(bytes: Uint8Array, start: number, end: number): void;
}

/** The one sink of all connections of a thread, and their way to the poller; src/client/secure.ts has one over TLS. */
export class ClientSink implements Sink {
  readonly poller: Transport;
  protected readonly runtime: Runtime;
  readonly #connections: (Carried | undefined)[] = [];

  constructor(runtime: Runtime, poller: Transport = runtime.poller) {
    this.runtime = runtime;
    this.poller = poller;
  }

  add(connection: Carried): void {
    this.#connections[connection.handle] = connection;
    this.poller.setSink(connection.handle, this);
  }
  close(handle: Handle): void {
    this.runtime.close(handle);
  }
  /** A response of it is complete. */
  rested(_handle: Handle): void {}
  /** Whether the end that has come may be somebody else's than the server's. */
  cutOff(_handle: Handle): boolean {
    return false;
  }
  why(errno: number): Error {
    return errnoError(this.poller.constants, errno, "the connection broke");
  }
  remove({ handle }: Carried): void {
    this.#connections[handle] = undefined;
  }

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.#connections[handle]?.received(bytes, start, end);
  }
  ended(handle: Handle): void {
    this.#connections[handle]?.ended();
  }
  failed(handle: Handle, errno: number): void {
    this.#connections[handle]?.failed(errno);
  }
  sent(handle: Handle): void {
    this.#connections[handle]?.sent();
  }
  expired(handle: Handle): void {
    this.#connections[handle]?.expired();
  }
  // While receiving is paused: whoever reads on finds out, after what came before.
  hungUp(): void {}
  accepted(): void {}
  connected(): void {}
  datagram(): void {}
}

const sinks = new WeakMap<Runtime, ClientSink>();

function plainSink(runtime: Runtime): ClientSink {
  let sink = sinks.get(runtime);
  if (sink === undefined) sinks.set(runtime, (sink = new ClientSink(runtime)));
  return sink;
}

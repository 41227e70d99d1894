/**
 * A connection that is not idle: part of a head has come, a handler is at work, a body moves, or the client does not
 * read. While none of that holds there is no such object, only the server's row of numbers.
 */
import type { Handle } from "../../ffi/poller.ts";
import { errnoError } from "../runtime/errno.ts";
import { workSettled } from "../runtime/stall-clock.ts";
import type { Clock } from "./connection-clocks.ts";
import { ConnectionInput, type InputHost } from "./connection-input.ts";
import type { HttpCounters, LimitName } from "./counters.ts";
import { bodyTimedOut, bodyTooLarge, clientGone, notAnswered, notRead } from "./endings.ts";
import type { Exchange, ExchangeOwner } from "./exchange.ts";
import { type Extras, fieldLines } from "./extras.ts";
import { type BodyOwner, bodyCutShort, IncomingBody } from "./incoming-body.ts";
import type { RequestLimits } from "./limits.ts";
import { headLength } from "./response-head.ts";
import { ResponseSender } from "./response-sender.ts";
import { dropResponse } from "./sendable.ts";
import type { Successor } from "./upgrade.ts";

/** What a connection asks of its server. */
export interface ConnectionHost extends InputHost {
  readonly counters: HttpCounters;
  /** The server wants to end: no connection persists. */
  readonly draining: boolean;
  /** It is still the one on its handle, which may have another owner by now. */
  isLive(connection: HttpConnection): boolean;
  /** Requests whose connection is gone, and whose handler has not noticed yet, with when they began. */
  readonly abandoned: Map<Exchange, number>;
  /** Serves requests from `bytes[start, end)`, returns the index behind what was used. */
  serve(handle: Handle, connection: HttpConnection, bytes: Uint8Array, start: number, end: number): number;
  /** Nothing waits any more: drop the object. */
  becameIdle(connection: HttpConnection): void;
  /** Close now; `clean` says that the client has nothing more to say, so that FIN alone will do. */
  finish(connection: HttpConnection, clean: boolean): void;
  /** The client is gone: close at once. */
  abandon(connection: HttpConnection): void;
  /** Close with a reset: the client must not take what it got for the whole. */
  cut(connection: HttpConnection): void;
  /** Answers with an error and closes. */
  refuse(connection: HttpConnection, status: number, reason: string, toHead: boolean): void;
  /** Part of a head has come, and the rest did not: 408, and close. */
  headExpired(connection: HttpConnection): void;
  /** Turns what a handler threw into a response. */
  failure(error: unknown, exchange: Exchange, what?: string): unknown;
  /** Half a response is out when its body fails: there is nothing to answer, and much to tell. */
  cutOff(error: unknown, exchange: Exchange): void;
  /** A response that cannot fail, for when what `failure` gave can't be sent either. */
  lastResort(error: unknown): Response;
  plain(status: number, reason: string): Response;
  /** Whether this connection has had all the requests that it may have. */
  hadItsLast(handle: Handle): boolean;
  /** A limit fired: it is counted, and said now and then. */
  fired(limit: LimitName, handle: Handle, what: string): void;
  /** What the connection carries from here on is its successor's; `sending`: our last bytes wait to be sent. */
  switched(connection: HttpConnection, successor: Successor, sending: boolean): void;
  /** A request has ended, well or not. */
  exchangeEnded(connection: HttpConnection, exchange: Exchange, aborted: boolean): void;
}

/** After the client's FIN, a response that waits for its producer gets this long before it is cancelled. */
const HALF_CLOSED_GRACE_MS = 1000;

export class HttpConnection extends ConnectionInput implements BodyOwner, ExchangeOwner {
  readonly host: ConnectionHost;
  /** The request being answered, if any. */
  exchange: Exchange | undefined;
  /** The body still moving; it may outlive its exchange, to be dropped. */
  body: IncomingBody | undefined;
  /** Whether the connection persists after this exchange. */
  keepAlive = true;
  /** HTTP/1.0 must be told that it does. */
  minor = 1;
  /** When the request began, in clock milliseconds. */
  startedAt = 0;
  /** The status that was sent, 0 while none was, and the bytes of this response so far, with those of its head. */
  status = 0;
  sentBytes = 0;
  /** How many those were when the client was last given grace. */
  #sentAtGrace = 0;
  headBytes = 0;
  /** The client said that this is its last request. */
  #clientCloses = false;
  #expectContinue = false;
  #closed = false;
  #peerEnded = false;
  /** Full send buffer: nothing is served until `sent`. */
  #blocked = false;
  #closeWhenSent = false;
  #drained: PromiseWithResolvers<void> | undefined;
  #sender: ResponseSender | undefined;
  /** Who carries on, once HTTP has ended here. */
  successor: Successor | undefined;
  /** The exchange that is answered with an error. */
  #recovering: Exchange | undefined;

  constructor(host: ConnectionHost, handle: Handle) {
    super(handle);
    this.host = host;
  }

  get closed(): boolean {
    return this.#closed;
  }
  get peerEnded(): boolean {
    return this.#peerEnded;
  }
  /** No further request may be looked at now. */
  get busy(): boolean {
    return this.#closed || this.exchange !== undefined || this.body !== undefined || this.#blocked || this.yielded;
  }
  get expectsContinue(): boolean {
    return this.#expectContinue;
  }

  /** A request begins. `length` is its Content-Length, -1 for chunked, 0 for no body. */
  begin(exchange: Exchange, length: number, keepAlive: boolean, minor: number, expectContinue: boolean): void {
    this.exchange = exchange;
    this.keepAlive = keepAlive;
    this.#clientCloses = !keepAlive;
    this.minor = minor;
    this.#expectContinue = expectContinue && length !== 0;
    this.status = 0;
    this.sentBytes = 0;
    this.headBytes = 0;
    this.own = exchange.limits;
    exchange.owner = this;
    this.requestBegan(length !== 0, this.#expectContinue);
    if (this.#peerEnded) this.#grace();
    if (exchange.extras !== undefined) this.hinted(exchange.extras);
    if (length === 0) return;
    this.body = new IncomingBody(this, length, this.host.limits.bodyHighWater);
    exchange.body = this.body;
  }

  /** Refuses a body that has become too large, and says so. */
  checkSize(): boolean {
    if (this.body === undefined || this.body.received <= this.maxBodyBytes) return false;
    this.#tooLarge();
    return true;
  }

  /**
   * Gives the body what belongs to it. What comes `first`, with the head, is not measured: the handler has not had its
   * chance to set the limit, and must not depend on how the client's bytes were cut. Returns the index behind, or -1
   * after having refused a malformed one.
   */
  feedBody(bytes: Uint8Array, start: number, end: number, first = false): number {
    const { body } = this;
    if (body === undefined) return start;
    const before = body.received;
    const at = body.feed(bytes, start, end);
    if (at < 0) {
      this.host.fired("malformedRequest", this.handle, "sent a malformed chunked body");
      this.#refuse(400, "malformed chunked body", new TypeError("the request's body is malformed: bad chunked coding"));
    } else if (!first && this.checkSize()) {
      return -1;
    } else if (body.complete) {
      body.ended();
      this.bodyArrived();
    } else if (this.#peerEnded) this.#cutShort(body);
    else if (!body.paused && at > start) this.bodyMoved(body.received - before);
    return at;
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    const { body } = this;
    if (body !== undefined && !body.complete) {
      start = this.feedBody(bytes, start, end);
      if (start < 0) return;
      if (start < end) this.keep(bytes, start, end);
      // Nobody wants this body any more; the next request may stand right behind it.
      if (this.exchange === undefined) this.#discarded(body);
      return;
    }
    this.keep(bytes, start, end);
    if (!this.busy) this.pump();
  }

  /** What the handler returned, or the promise of it. */
  settle(exchange: Exchange, result: unknown): void {
    let later: boolean;
    try {
      later = isThenable(result);
    } catch (error) {
      return this.recover(exchange, error);
    }
    if (later) {
      // Other thenables than promises may throw, or call back twice.
      exchange.running = true;
      Promise.resolve(result).then(
        (response) => {
          this.#settled(exchange);
          this.#respond(exchange, response);
        },
        (error: unknown) => {
          this.#settled(exchange);
          this.recover(exchange, error);
        },
      );
    } else this.#respond(exchange, result);
  }

  #settled(exchange: Exchange): void {
    exchange.running = false;
    workSettled(exchange);
    if (this.host.abandoned.size > 0) this.host.abandoned.delete(exchange);
  }

  /** What should have become the response threw: the error handler answers, and when it fails as well, we do. */
  recover(exchange: Exchange, error: unknown): void {
    // The client left, or sent half a body: no failure of the handler's, and nothing for clients to fill the log with.
    if (exchange.blamesClient(error)) return this.settle(exchange, this.host.plain(400, "request cut short"));
    const again = this.#recovering === exchange;
    this.#recovering = exchange;
    if (exchange.extras !== undefined) exchange.extras.trailers = undefined;
    this.settle(exchange, again ? this.host.lastResort(error) : this.host.failure(error, exchange));
  }

  /** A send met a full buffer: `sent` will follow. With `close`, the connection ends then. */
  block(close: boolean): void {
    this.#blocked = true;
    this.#closeWhenSent ||= close;
    this.writingBegan();
    this.host.poller.pause(this.handle);
  }

  /** Resolves when the poller has sent all that it kept. */
  drained(): Promise<void> {
    this.writingBegan();
    return (this.#drained ??= Promise.withResolvers()).promise;
  }

  sent(): void {
    this.writingEnded();
    const drained = this.#drained;
    if (drained !== undefined) {
      this.#drained = undefined;
      drained.resolve();
    }
    if (!this.#blocked) return;
    this.#blocked = false;
    if (this.#closeWhenSent) return this.host.finish(this, false);
    if (!this.busy) return this.#next();
    // A request whose answer waits behind the others is under way: its body, or the client's end, may come now.
    const tooMuch = this.waiting > this.host.limits.maxPipelinedBytes;
    if (!tooMuch && !this.#peerEnded && !this.body?.paused) this.host.poller.receive(this.handle);
  }

  /** The client's FIN: the handler is told; what is being answered may still reach a half-closed client. */
  ended(): void {
    this.#peerEnded = true;
    const { exchange, body } = this;
    if (body !== undefined && !body.complete) this.#cutShort(body);
    if (exchange === undefined) {
      if (this.#blocked || this.yielded) return;
      return this.host.abandon(this);
    }
    exchange.abort(clientGone());
    this.#grace();
  }

  /** The client hung up while we were not receiving. */
  hungUp(): void {
    if (this.exchange === undefined) return;
    this.exchange.abort(clientGone());
    this.#grace();
  }

  /** A response to a client that is half closed may go on as long as it moves. */
  #grace(): void {
    this.#sentAtGrace = this.sentBytes;
    this.graceBegan(HALF_CLOSED_GRACE_MS);
  }

  /** A response is on its way whose end only the connection's end tells (HTTP/1.0). */
  get unframed(): boolean {
    return this.#sender?.begun === true && this.#sender.unframed;
  }

  /**
   * The connection broke, or is being cut: everybody who works for it is told, of the client's leaving unless there is
   * another cause. The server closes the handle.
   */
  closeWith(cause?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.forgetInput();
    this.stopClocks();
    const { exchange, body } = this;
    const drained = this.#drained;
    const sender = this.#sender;
    // Where nobody is to be told there is no reason to be made: an error with its stack is 10 µs.
    if (exchange === undefined && body === undefined && drained === undefined && sender === undefined) return;
    const reason = cause ?? clientGone();
    this.exchange = undefined;
    this.body = undefined;
    this.#sender = undefined;
    this.#drained = undefined;
    if (exchange !== undefined) {
      exchange.abort(reason);
      exchange.fail(reason);
      if (exchange.running) this.host.abandoned.set(exchange, this.startedAt);
      this.host.exchangeEnded(this, exchange, true);
    }
    body?.fail(reason);
    sender?.cancel(reason);
    drained?.promise.catch(() => {});
    drained?.reject(reason);
  }

  /** The wheel's deadline passed: one of the clocks has run out, or the next one is due later. */
  expired(): void {
    const clock = this.expiredClock();
    if (clock !== undefined) this.#ranOut(clock);
  }

  #ranOut(clock: Clock): void {
    switch (clock) {
      case "head": {
        const begun = this.waiting > 0;
        this.host.fired("readHeaderTimeout", this.handle, "did not send the whole head of a request in time");
        if (begun) this.host.headExpired(this);
        else this.host.abandon(this);
        return;
      }
      case "read":
        this.host.fired("readTimeout", this.handle, "did not send a request's body in time");
        return this.#refuse(408, "the request's body did not arrive in time", bodyTimedOut());
      case "work":
        this.host.fired("writeTimeout", this.handle, "was not answered in time: the handler takes longer than it may");
        return this.#refuse(503, "the request was not answered in time", notAnswered());
      case "write":
        this.host.fired("writeTimeout", this.handle, "did not read a response in time");
        this.closeWith(notRead());
        return this.host.cut(this);
      case "grace":
        // A producer that was silent for the whole grace is told that nobody listens.
        if (this.exchange === undefined) this.host.abandon(this);
        else if (!this.#sender?.waiting || this.sentBytes !== this.#sentAtGrace) this.#grace();
        else if (this.unframed) this.host.cut(this);
        else this.host.abandon(this);
    }
  }

  /** The handler's own limits for this request, from this moment on. */
  limitsSet(limits: RequestLimits, read: boolean, write: boolean): void {
    // Those of a request that is over are not the next one's.
    if (this.exchange?.limits !== limits) return;
    this.own = limits;
    this.limitsChanged(read, write);
    const { body } = this;
    if (body === undefined) return;
    const { outstanding } = body;
    const whole = body.received + (outstanding === Number.POSITIVE_INFINITY ? 0 : outstanding);
    if (whole > this.maxBodyBytes) this.#tooLarge();
  }

  /** The response is out. */
  finished(exchange: Exchange): void {
    if (this.exchange !== exchange) return;
    exchange.finish();
    this.responseEnded();
    this.host.exchangeEnded(this, exchange, false);
    this.exchange = undefined;
    this.#recovering = undefined;
    this.#sender = undefined;
    const { body } = this;
    if (body !== undefined) {
      body.discard();
      if (!this.keepAlive) return this.host.finish(this, body.complete && this.#clientIsDone());
      if (!body.complete) {
        this.host.poller.receive(this.handle);
        return this.#discarded(body);
      }
      this.body = undefined;
    }
    this.#next();
  }

  /** The head of a 101 is out, or waits to be sent: HTTP ends here (RFC 9110, 7.8). */
  switchTo(exchange: Exchange, successor: Successor, sending: boolean): void {
    exchange.finish();
    this.host.exchangeEnded(this, exchange, false);
    this.exchange = undefined;
    this.#sender = undefined;
    this.#closed = true;
    this.stopClocks();
    const early = this.takeInput();
    this.successor = successor;
    this.host.switched(this, successor, sending);
    if (early !== undefined) successor.received(early.bytes, early.start, early.end);
    if (this.#peerEnded) successor.ended();
  }

  /** Decides, before the head is written, whether the connection can go on after this response. */
  decidePersistence(streams: boolean): boolean {
    const { body } = this;
    // Requests that came before the client's FIN are still answered.
    const last = this.#peerEnded && this.waiting === 0;
    // A client that pipelines is told to stop with the last of what it has sent already (RFC 9112, 9.6): what came
    // behind a "close" would be lost.
    const ends = this.host.draining && this.waiting === 0;
    if (ends || last || this.host.hadItsLast(this.handle)) this.keepAlive = false;
    if (body === undefined || body.complete) return this.keepAlive;
    // A client that waits for "100 Continue" may send the body after a final answer, or not: no guessing.
    const { outstanding } = body;
    const long = outstanding > this.host.limits.maxDiscardedBytes && outstanding < Number.POSITIVE_INFINITY;
    // What is being read, or may become the response's stream, is not going to be dropped.
    const unwanted = !streams && !body.wanted;
    if (this.#expectContinue || (long && unwanted)) this.keepAlive = false;
    return this.keepAlive;
  }

  /** So many bytes of the response go to the kernel. */
  sending(bytes: number): void {
    this.sentBytes += bytes;
    this.host.counters.bytesOut += bytes;
  }

  /** The head of a response is on its way. */
  responding(status: number): void {
    this.status = status;
    this.headBytes = headLength;
    this.responseBegan();
  }

  pauseBody(): void {
    this.host.poller.pause(this.handle);
    this.bodyPaused();
  }
  resumeBody(): void {
    if (this.#closed || this.#peerEnded) return;
    this.host.poller.receive(this.handle);
    if (this.body?.complete === false) this.bodyResumed();
  }
  bodyWanted(): void {
    if (!this.#expectContinue || this.#closed || this.#sender?.begun) return;
    this.#expectContinue = false;
    const result = this.host.poller.send(this.handle, CONTINUE, 0, CONTINUE.length);
    if (result < 0) this.broken(result);
    else this.bodyMoved(0);
  }

  hinted(extras: Extras): void {
    const text = extras.hints.splice(0).map((fields) => `HTTP/1.1 103 Early Hints\r\n${fieldLines(fields)}\r\n`);
    // Who hints late must not do so for the next request.
    if (text.length === 0 || this.exchange?.extras !== extras) return;
    if (this.minor === 0 || this.#closed || this.#sender?.begun) return;
    const bytes = Buffer.from(text.join(""), "latin1");
    this.sentBytes += bytes.length;
    const result = this.host.poller.send(this.handle, bytes, 0, bytes.length);
    if (result < 0) this.broken(result);
  }

  /** A send returned an errno. */
  broken(result: number): void {
    const { constants } = this.host.poller;
    this.closeWith(errnoError(constants, -result, "sending a response"));
    this.host.abandon(this);
  }

  #respond(exchange: Exchange, response: unknown): void {
    if (this.exchange !== exchange) {
      dropResponse(response);
      return;
    }
    try {
      const sender = new ResponseSender(this, exchange);
      this.#sender = sender;
      sender.send(response);
    } catch (error) {
      // Ours, not the handler's: nothing may escape into a promise that nobody watches.
      this.host.poller.onSinkError(this.handle, error);
    }
  }

  #next(): void {
    if (this.#closed) return;
    const last = !this.keepAlive || (this.#peerEnded && this.waiting === 0);
    if (last) return this.host.finish(this, this.#clientIsDone());
    if (!this.#peerEnded && !this.inputHeld) this.host.poller.receive(this.handle);
    this.pump();
  }

  /** True when nothing more can come, by the client's own word: then there is nothing to wait for after our FIN. */
  #clientIsDone(): boolean {
    return this.waiting === 0 && (this.#clientCloses || this.#peerEnded);
  }

  protected serve(bytes: Uint8Array, start: number, end: number): number {
    return this.host.serve(this.handle, this, bytes, start, end);
  }
  protected receiveMore(): void {
    if (this.#peerEnded || this.#blocked || this.body?.paused || !this.host.isLive(this)) return;
    this.host.poller.receive(this.handle);
  }
  protected resume(): void {
    if (!this.busy && this.host.isLive(this)) this.#next();
  }
  protected emptied(): void {
    if (this.#peerEnded) this.host.finish(this, true);
    else this.host.becameIdle(this);
  }
  protected leftOff(): void {
    this.host.abandon(this);
  }

  #discarded(body: IncomingBody): void {
    if (body.complete) {
      this.body = undefined;
      this.#next();
    } else if (body.received > this.host.limits.maxDiscardedBytes + this.host.limits.bodyHighWater) {
      this.host.finish(this, false);
    }
  }

  /** The client's FIN came before the body's end. */
  #cutShort(body: IncomingBody): void {
    body.fail(bodyCutShort());
    this.exchange?.abort(clientGone());
    this.keepAlive = false;
  }

  #tooLarge(): void {
    const limit = this.maxBodyBytes;
    this.host.fired("maxBodyBytes", this.handle, `sent a body of more than ${limit} bytes`);
    this.#refuse(413, `the request's body is larger than ${limit} bytes`, bodyTooLarge(limit));
  }

  /** The request ends here: with this answer, which is ours and not the handler's, or cut when one has begun. */
  #refuse(status: number, reason: string, error: unknown): void {
    const { exchange, body } = this;
    if (exchange === undefined || this.#sender?.begun) {
      this.closeWith(error);
      if (exchange === undefined) return this.host.finish(this, false);
      return this.host.cut(this);
    }
    this.exchange = undefined;
    this.body = undefined;
    this.#sender?.cancel(error);
    this.#sender = undefined;
    body?.fail(error);
    exchange.abort(error);
    exchange.fail(error);
    if (exchange.running) this.host.abandoned.set(exchange, this.startedAt);
    this.status = status;
    this.host.exchangeEnded(this, exchange, false);
    this.host.refuse(this, status, reason, exchange.method === "HEAD");
  }
}

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

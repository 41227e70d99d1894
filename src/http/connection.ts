/**
 * A connection that is not idle: part of a head has come, a handler is at work, a body moves, or the client does not
 * read. While none of that holds there is no such object, only the server's row of numbers.
 */
import type { Handle, Poller } from "../../ffi/poller.ts";
import { errnoError } from "../runtime/errno.ts";
import type { Exchange } from "./exchange.ts";
import { type BodyOwner, bodyCutShort, IncomingBody } from "./incoming-body.ts";
import type { Limits } from "./limits.ts";
import { ResponseSender } from "./response-sender.ts";

/** What a connection asks of its server. */
export interface ConnectionHost {
  readonly poller: Poller;
  readonly limits: Limits;
  /** The server wants to end: no connection persists. */
  readonly draining: boolean;
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
  refuse(connection: HttpConnection, status: number, reason: string): void;
  /** Turns what a handler threw into a response. */
  failure(error: unknown): unknown;
  /** A response that cannot fail, for when what `failure` gave can't be sent either. */
  lastResort(error: unknown): Response;
  setDeadline(handle: Handle, inMs: number): void;
}

/** After the client's FIN, a response that waits for its producer gets this long before it is cancelled. */
const HALF_CLOSED_GRACE_MS = 1000;
const CR = 0x0d;
const LF = 0x0a;

export class HttpConnection implements BodyOwner {
  readonly handle: Handle;
  readonly host: ConnectionHost;
  /** The request being answered, if any. */
  exchange: Exchange | undefined;
  /** The body still moving; it may outlive its exchange, to be dropped. */
  body: IncomingBody | undefined;
  /** Whether the connection persists after this exchange. */
  keepAlive = true;
  /** HTTP/1.0 must be told that it does. */
  minor = 1;
  /** The client said that this is its last request. */
  #clientCloses = false;
  #expectContinue = false;
  #closed = false;
  #peerEnded = false;
  /** Full send buffer: nothing is served until `sent`. */
  #blocked = false;
  #closeWhenSent = false;
  #looping = false;
  #drained: PromiseWithResolvers<void> | undefined;
  #sender: ResponseSender | undefined;
  /** The exchange that is answered with an error. */
  #recovering: Exchange | undefined;
  /** Bytes that came too early, or part of a head. */
  #input: Uint8Array<ArrayBuffer> | undefined;
  #inputStart = 0;
  #inputEnd = 0;
  /** Input bytes that the parser has seen in vain, and those that were searched for the head's end since. */
  #tried = 0;
  #scanned = 0;

  constructor(host: ConnectionHost, handle: Handle) {
    this.host = host;
    this.handle = handle;
  }

  get closed(): boolean {
    return this.#closed;
  }
  get peerEnded(): boolean {
    return this.#peerEnded;
  }
  /** No further request may be looked at now. */
  get busy(): boolean {
    return this.#closed || this.exchange !== undefined || this.body !== undefined || this.#blocked;
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
    this.host.setDeadline(this.handle, this.#peerEnded ? HALF_CLOSED_GRACE_MS : 0);
    if (length === 0) return;
    this.body = new IncomingBody(this, length, this.host.limits.bodyHighWater);
    exchange.body = this.body;
  }

  /** Gives the body what belongs to it; returns the index behind, or -1 after having refused a malformed one. */
  feedBody(bytes: Uint8Array, start: number, end: number): number {
    const { body } = this;
    if (body === undefined) return start;
    const at = body.feed(bytes, start, end);
    if (at < 0) this.#malformedBody(body);
    else if (this.#peerEnded && !body.complete) this.#cutShort(body);
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
    if (!this.busy) this.#pump();
  }

  /** Copies bytes that can't be served now. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const kept = this.#inputEnd - this.#inputStart;
    if (this.#input === undefined || this.#inputEnd + length > this.#input.length) {
      const larger = new Uint8Array(Math.max(kept + length, Math.min(kept * 2, 1 << 20)));
      if (this.#input !== undefined) larger.set(this.#input.subarray(this.#inputStart, this.#inputEnd));
      this.#input = larger;
      this.#inputStart = 0;
      this.#inputEnd = kept;
    }
    this.#input.set(bytes.subarray(start, end), this.#inputEnd);
    this.#inputEnd += length;
    if (this.busy && kept + length > this.host.limits.maxPipelinedBytes) this.host.poller.pause(this.handle);
  }

  /** The parser has seen all that was kept, and wants more. */
  triedInVain(): void {
    this.#scanned = 0;
    this.#tried = this.#inputEnd - this.#inputStart;
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
      Promise.resolve(result).then(
        (response) => this.#respond(exchange, response),
        (error: unknown) => this.recover(exchange, error),
      );
    } else this.#respond(exchange, result);
  }

  /** What should have become the response threw: the error handler answers, and when it fails as well, we do. */
  recover(exchange: Exchange, error: unknown): void {
    // The client left, or sent half a body: no failure of the handler's, and nothing for clients to fill the log with.
    if (exchange.blamesClient(error))
      return this.settle(exchange, new Response("request cut short\n", { status: 400 }));
    const again = this.#recovering === exchange;
    this.#recovering = exchange;
    this.settle(exchange, again ? this.host.lastResort(error) : this.host.failure(error));
  }

  /** A send met a full buffer: `sent` will follow. With `close`, the connection ends then. */
  block(close: boolean): void {
    this.#blocked = true;
    this.#closeWhenSent ||= close;
    this.host.setDeadline(this.handle, this.host.limits.idleTimeout);
    this.host.poller.pause(this.handle);
  }

  /** Resolves when the poller has sent all that it kept. */
  drained(): Promise<void> {
    return (this.#drained ??= Promise.withResolvers()).promise;
  }

  sent(): void {
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
    const tooMuch = this.#inputEnd - this.#inputStart > this.host.limits.maxPipelinedBytes;
    if (!tooMuch && !this.#peerEnded && !this.body?.paused) this.host.poller.receive(this.handle);
  }

  /** The client's FIN: the handler is told; what is being answered may still reach a half-closed client. */
  ended(): void {
    this.#peerEnded = true;
    const { exchange, body } = this;
    if (body !== undefined && !body.complete) this.#cutShort(body);
    if (exchange === undefined) {
      if (this.#blocked) return;
      return this.host.abandon(this);
    }
    exchange.abort(clientGone());
    this.host.setDeadline(this.handle, HALF_CLOSED_GRACE_MS);
  }

  /** The client hung up while we were not receiving. */
  hungUp(): void {
    if (this.exchange === undefined) return;
    this.exchange.abort(clientGone());
    this.host.setDeadline(this.handle, HALF_CLOSED_GRACE_MS);
  }

  /** The connection broke, or is being cut: everybody who works for it is told. The server closes the handle. */
  closeWith(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const { exchange, body } = this;
    this.exchange = undefined;
    this.body = undefined;
    this.#input = undefined;
    exchange?.abort(reason);
    exchange?.fail(reason);
    body?.fail(reason);
    this.#sender?.cancel(reason);
    this.#sender = undefined;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.promise.catch(() => {});
    drained?.reject(reason);
  }

  /** Its deadline passed. */
  expired(): void {
    if (this.exchange !== undefined) {
      // The client is half closed: a producer that was silent for the whole grace is told that nobody listens.
      if (this.#sender?.waiting) this.host.abandon(this);
      else this.host.setDeadline(this.handle, HALF_CLOSED_GRACE_MS);
      return;
    }
    this.host.abandon(this);
  }

  /** The response is out. */
  finished(exchange: Exchange): void {
    if (this.exchange !== exchange) return;
    exchange.finish();
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

  /** Decides, before the head is written, whether the connection can go on after this response. */
  decidePersistence(streams: boolean): boolean {
    const { body } = this;
    // Requests that came before the client's FIN are still answered.
    const last = this.#peerEnded && this.#inputEnd === this.#inputStart;
    if (this.host.draining || last) this.keepAlive = false;
    if (body === undefined || body.complete) return this.keepAlive;
    // A client that waits for "100 Continue" may send the body after a final answer, or not: no guessing.
    const { outstanding } = body;
    const long = outstanding > this.host.limits.maxDiscardedBytes && outstanding < Number.POSITIVE_INFINITY;
    // What is being read, or may become the response's stream, is not going to be dropped.
    const unwanted = !streams && !body.wanted;
    if (this.#expectContinue || (long && unwanted)) this.keepAlive = false;
    return this.keepAlive;
  }

  pauseBody(): void {
    this.host.poller.pause(this.handle);
  }
  resumeBody(): void {
    if (!this.#closed && !this.#peerEnded) this.host.poller.receive(this.handle);
  }
  bodyWanted(): void {
    if (!this.#expectContinue || this.#closed || this.#sender?.begun) return;
    this.#expectContinue = false;
    const result = this.host.poller.send(this.handle, CONTINUE, 0, CONTINUE.length);
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
      ResponseSender.drop(response);
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
    const waiting = this.#inputEnd - this.#inputStart;
    const last = !this.keepAlive || this.host.draining || (this.#peerEnded && waiting === 0);
    if (last) return this.host.finish(this, this.#clientIsDone());
    if (!this.#peerEnded) this.host.poller.receive(this.handle);
    if (!this.#looping) this.#pump();
  }

  /** True when nothing more can come, by the client's own word: then there is nothing to wait for after our FIN. */
  #clientIsDone(): boolean {
    return this.#inputEnd === this.#inputStart && (this.#clientCloses || this.#peerEnded);
  }

  /** Serves what was kept, until more bytes or a handler must be waited for. */
  #pump(): void {
    // Part of a head that goes on has its deadline already; drips don't move it.
    let begins = this.#tried === 0;
    while (!this.busy && this.#inputEnd > this.#inputStart && this.#input !== undefined) {
      if (!this.#worthTrying(this.#input)) break;
      const before = this.#inputStart;
      this.#looping = true;
      const at = this.host.serve(this.handle, this, this.#input, this.#inputStart, this.#inputEnd);
      this.#looping = false;
      if (this.#closed) return;
      this.#inputStart = at;
      if (at === before) {
        this.triedInVain();
        break;
      }
      this.#tried = 0;
      begins = true;
    }
    if (this.busy) return;
    if (this.#inputEnd > this.#inputStart) {
      if (this.#peerEnded) this.host.abandon(this);
      else if (begins) this.host.setDeadline(this.handle, this.host.limits.idleTimeout);
      return;
    }
    this.#input = undefined;
    this.#inputStart = this.#inputEnd = 0;
    if (this.#peerEnded) return this.host.finish(this, true);
    this.host.becameIdle(this);
  }

  /** Parsing anew for each dripped byte would cost the square of the head: wait for its end, or twice the bytes. */
  #worthTrying(input: Uint8Array): boolean {
    if (this.#tried === 0) return true;
    const size = this.#inputEnd - this.#inputStart;
    if (size >= this.#tried * 2) return true;
    // Each byte is looked at once, however many drips it takes.
    for (let i = this.#inputStart + Math.max(this.#tried, this.#scanned); i < this.#inputEnd; i++) {
      if (input[i] !== LF) continue;
      // A bare LF is for the parser to refuse.
      if (i === this.#inputStart || input[i - 1] !== CR) return true;
      if (i - 3 >= this.#inputStart && input[i - 2] === LF && input[i - 3] === CR) return true;
    }
    this.#scanned = size;
    return false;
  }

  #discarded(body: IncomingBody): void {
    if (body.complete) {
      this.body = undefined;
      this.#next();
    } else if (body.received > this.host.limits.maxDiscardedBytes + this.host.limits.bodyHighWater) {
      this.host.finish(this, false);
    } else this.host.setDeadline(this.handle, this.host.limits.idleTimeout);
  }

  /** The client's FIN came before the body's end. */
  #cutShort(body: IncomingBody): void {
    body.fail(bodyCutShort());
    this.exchange?.abort(clientGone());
    this.keepAlive = false;
  }

  #malformedBody(body: IncomingBody): void {
    const error = new TypeError("the request's body is malformed: bad chunked coding");
    const { exchange } = this;
    if (exchange === undefined || this.#sender !== undefined) {
      this.closeWith(error);
      return this.host.finish(this, false);
    }
    // The answer is ours now, not the handler's.
    this.exchange = undefined;
    this.body = undefined;
    body.fail(error);
    exchange.abort(error);
    exchange.fail(error);
    this.host.refuse(this, 400, "malformed chunked body");
  }
}

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Why `request.signal` aborts when the connection ends. */
export function clientGone(): DOMException {
  return new DOMException("the client went away before the response was sent", "AbortError");
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

/**
 * A stream that could not be answered at once: a request with a body, a handler's promise, a response that is large or a
 * stream itself. Its states (RFC 9113, 5.1) are two facts: `remoteEnded`, the client has said all, and `localEnded`, we
 * have. With both it is closed, and there is no such object.
 */
import {
  markBodyUsed,
  recycleBody,
  responseBody,
  responseContentType,
  responseFields,
  responseStatus,
} from "../fetch/mod.ts";
import { isThenable } from "../http/connection.ts";
import { type Clock, type ClockHost, ConnectionClocks } from "../http/connection-clocks.ts";
import { HTTP_2 } from "../http/ended-request.ts";
import { bodyTimedOut, bodyTooLarge, notAnswered, notRead } from "../http/endings.ts";
import type { Exchange, ExchangeOwner } from "../http/exchange.ts";
import { type Extras, type TrailerFields, trailerFields, trailersOf } from "../http/extras.ts";
import { type BodyOwner, IncomingBody } from "../http/incoming-body.ts";
import type { RequestLimits } from "../http/limits.ts";
import { dropResponse, lightResponse } from "../http/sendable.ts";
import { isBodiless } from "../http/simple-response.ts";
import { promised } from "../http/upgrade.ts";
import { workSettled } from "../runtime/stall-clock.ts";
import { CANCEL, INTERNAL_ERROR } from "./errors.ts";
import { STREAM_WINDOW } from "./limits.ts";
import { DEFAULT_PRIORITY, type Priority } from "./priority.ts";
import { lengthToSay } from "./response-block.ts";
import { type BodyHost, ResponseBody } from "./response-body.ts";
import type { Scheduled } from "./scheduler.ts";
import { Tunnel } from "./tunnel.ts";

/** The head of a response, as it waits for its turn. */
export interface ResponseHead {
  readonly status: number;
  readonly type: string | null;
  readonly fields: readonly string[] | null;
  /** Its content-length; -1 when that is not said. */
  readonly length: number;
}

/** What a stream asks of its connection. */
export interface StreamHost extends ClockHost {
  readonly closed: boolean;
  /** Bytes of bodies that the connection has sent. */
  readonly dataSent: number;
  readonly http: {
    readonly ending: boolean;
    failure(error: unknown, exchange: Exchange, what?: string): unknown;
    cutOff(error: unknown, exchange: Exchange): void;
    lastResort(error: unknown): Response;
    plain(status: number, reason: string): Response;
  };
  /** It has something to send. */
  ready(stream: Http2Stream): void;
  /** Sends what there is, now. */
  flush(): void;
  /** Whether so many bytes of it will leave as the code that runs now is done, as far as can be said. */
  mayLeave(stream: Http2Stream, bytes: number): boolean;
  /** It has led out of HTTP: its exchange is over. */
  switched(stream: Http2Stream): void;
  /** Its reader takes bytes again. */
  credit(stream: Http2Stream): void;
  sendContinue(stream: Http2Stream): void;
  sendInterim(stream: Http2Stream, status: number, fields: readonly string[]): void;
  /** Ends the stream with an error, and forgets it. */
  reset(stream: Http2Stream, code: number, reason: unknown): void;
  fired(limit: "readTimeout" | "writeTimeout" | "maxBodyBytes", what: string): void;
  /** A handler is done whose stream is not any more. */
  handlerSettled(exchange: Exchange): void;
}

/** Why a stream can't send what it has. */
export const NOT = 0;
export const BY_STREAM = 1;
export const BY_CONNECTION = 2;

export class Http2Stream extends ConnectionClocks implements BodyOwner, BodyHost, ExchangeOwner, Scheduled {
  readonly host: StreamHost;
  readonly exchange: Exchange;
  readonly minor: number = HTTP_2;
  readonly startedAt: number;
  priority: Priority = DEFAULT_PRIORITY;
  scheduled = false;
  remoteEnded: boolean;
  localEnded = false;
  /** What it may send before the client gives it more; below 0 once the client has taken some back (RFC 9113, 6.9.2). */
  sendWindow: number;
  /** What the client may send. */
  receiveWindow = STREAM_WINDOW;
  body: IncomingBody | undefined;
  /** What comes and goes in place of bodies, when it was asked for that (RFC 8441). */
  tunnel: Tunnel | undefined;
  /** What content-length announces; -1 for nothing. */
  readonly announced: number;
  head: ResponseHead | undefined;
  headSent = false;
  response: ResponseBody | undefined;
  /** Fields behind the body, "waiting" until they are known; undefined where there are none. */
  trailers: readonly string[] | "waiting" | undefined;
  status = 0;
  sentBytes = 0;
  headBytes = 0;
  /** Its nearest clock. */
  deadline = 0;
  /** It has bytes, and no window: BY_STREAM, it has none of its own, or BY_CONNECTION, nobody has. */
  blocked = NOT;
  /** What the connection's window has just grown by, and nobody has been sent. */
  #granted = 0;

  #expectContinue = false;
  #over = false;
  #failed = false;
  /** Whose bytes are being sent: their memory is used again behind that. */
  #bytesOf: Response | undefined;
  /** A head that waits for the first bytes of its body. */
  #pending: ResponseHead | undefined;

  constructor(host: StreamHost, id: number, exchange: Exchange, announced: number, ended: boolean, window: number) {
    super(id);
    this.host = host;
    this.exchange = exchange;
    this.announced = announced;
    this.remoteEnded = ended;
    this.sendWindow = window;
    this.startedAt = host.now;
    this.own = exchange.limits;
    exchange.owner = this;
  }

  get id(): number {
    return this.handle;
  }

  /** The request begins; `expectContinue`: its body comes when it is asked for; `tunnel`: it has none, but may lead out. */
  begin(expectContinue: boolean, tunnel: boolean): void {
    if (tunnel && !this.remoteEnded) {
      this.tunnel = new Tunnel(this);
      return this.requestBegan(false, false);
    }
    const body = !this.remoteEnded;
    this.#expectContinue = expectContinue && body;
    this.requestBegan(body, this.#expectContinue);
    if (this.exchange.extras !== undefined) this.hinted(this.exchange.extras);
    if (!body) return;
    // A length of 0 that is not the end of the stream yet is a body whose end comes by itself.
    const length = this.announced > 0 ? this.announced : Number.POSITIVE_INFINITY;
    this.body = new IncomingBody(this, length, STREAM_WINDOW >> 1);
    this.exchange.body = this.body;
  }

  // ---- the request's body

  /** What the client sends has to wait. */
  get paused(): boolean {
    return this.body?.paused === true || this.tunnel?.paused === true;
  }
  /** Bytes that have come, and wait. */
  get unread(): number {
    return this.body?.unread ?? this.tunnel?.unread ?? 0;
  }

  /** False: it is longer than it said, or than it may be; the stream is being refused. */
  received(bytes: Uint8Array, start: number, end: number): "malformed" | "refused" | undefined {
    const { body } = this;
    if (body === undefined) {
      this.tunnel?.received(bytes, start, end);
      return undefined;
    }
    if (this.announced >= 0 && body.received + end - start > this.announced) return "malformed";
    body.feed(bytes, start, end);
    // Where the whole answer is there it only has to leave.
    if (body.received > this.maxBodyBytes && this.response?.ended !== true) {
      this.#tooLarge();
      return "refused";
    }
    if (!body.paused) this.bodyMoved(end - start);
    return undefined;
  }

  /** END_STREAM, with these fields behind the body. False: it is shorter than it said (RFC 9113, 8.1.1). */
  receivedAll(trailers: readonly string[]): boolean {
    this.remoteEnded = true;
    const { body } = this;
    if (body === undefined) {
      this.tunnel?.receivedAll();
      return true;
    }
    if (this.announced >= 0 && body.received !== this.announced) return false;
    if (!body.complete) body.end();
    body.ended(trailers);
    this.bodyArrived();
    return true;
  }

  pauseBody(): void {
    this.bodyPaused();
  }
  resumeBody(): void {
    if (this.#over || this.remoteEnded) return;
    this.host.credit(this);
    this.bodyResumed();
  }
  /** The client waits for "100 Continue", which it will not get. */
  get awaitsContinue(): boolean {
    return this.#expectContinue;
  }
  bodyWanted(): void {
    if (!this.#expectContinue || this.#over || this.headSent) return;
    this.#expectContinue = false;
    this.host.sendContinue(this);
    this.bodyMoved(0);
  }

  hinted(extras: Extras): void {
    const hints = extras.hints.splice(0);
    if (this.#over || this.head !== undefined) return;
    for (const fields of hints) this.host.sendInterim(this, 103, fields);
  }

  limitsSet(limits: RequestLimits, read: boolean, write: boolean): void {
    if (this.#over || this.tunnel?.carries) return;
    this.own = limits;
    this.limitsChanged(read, write);
    const { body } = this;
    if (body !== undefined && Math.max(body.received, this.announced) > this.maxBodyBytes) this.#tooLarge();
  }

  // ---- the handler

  /** What the handler returned, or the promise of it. */
  settle(result: unknown): void {
    const { exchange } = this;
    if (this.#over) return void Promise.resolve(result).then(dropResponse, (error: unknown) => this.#recover(error));
    let later: boolean;
    try {
      later = isThenable(result);
    } catch (error) {
      return this.#recover(error);
    }
    if (!later) return this.#respond(result);
    exchange.running = true;
    // Other thenables than promises may throw, or call back twice.
    Promise.resolve(result).then(
      (response) => {
        this.#settled();
        this.#respond(response);
      },
      (error: unknown) => {
        this.#settled();
        this.#recover(error);
      },
    );
  }

  #settled(): void {
    this.exchange.running = false;
    workSettled(this.exchange);
    if (this.#over) this.host.handlerSettled(this.exchange);
  }

  #recover(error: unknown): void {
    if (this.head !== undefined) return;
    if (this.#over) {
      // Nobody is answered any more; that it failed is said all the same.
      if (!this.exchange.blamesClient(error)) dropLater(this.host.http.failure(error, this.exchange));
      return;
    }
    // The client left, or sent half a body: no failure of the handler's.
    if (this.exchange.blamesClient(error)) {
      return this.settle(this.host.http.plain(400, "request cut short"));
    }
    const again = this.#failed;
    this.#failed = true;
    this.#forgetTrailers();
    const { http } = this.host;
    this.settle(again ? http.lastResort(error) : http.failure(error, this.exchange));
  }

  #respond(value: unknown): void {
    if (this.#over || this.head !== undefined) return dropResponse(value);
    try {
      this.answer(lightResponse(value));
    } catch (error) {
      this.#recover(error);
    }
  }

  /** Answers with a light Response that can be sent. */
  answer(response: Response): void {
    const status = responseStatus(response);
    if (status === 101) return this.#switch(response);
    this.tunnel?.refuse();
    const fields = responseFields(response);
    const source = responseBody(response);
    const toHead = this.exchange.method === "HEAD";
    const none = toHead || isBodiless(status);
    const length = lengthToSay(response, toHead);
    markBodyUsed(response);
    if (source instanceof Uint8Array) this.#bytesOf = response;
    const head: ResponseHead = { status, type: responseContentType(response), fields, length };
    const body = new ResponseBody(this, length);
    this.response = body;
    const trailers = none ? undefined : trailersOf(this.exchange.extras, response);
    if (trailers !== undefined) this.trailers = "waiting";
    if (none) {
      if (source instanceof ReadableStream) source.cancel().catch(() => {});
      body.begin(null);
    } else body.begin(source);
    if (trailers !== undefined && body.ended) this.#askTrailers(trailers);
    // It may be made of the request's body, and "100 Continue" can only come before the head.
    if (this.#expectContinue && !body.ended && body.queued === 0) this.#pending = head;
    else this.#headReady(head);
  }

  /** HTTP ends here, and another protocol carries on, if the handler has said which. */
  #switch(response: Response): void {
    const { exchange, tunnel } = this;
    const upgrade = promised(response);
    if (upgrade?.request !== exchange || tunnel === undefined) {
      throw new TypeError("a response with status 101 answers another request");
    }
    markBodyUsed(response);
    const body = new ResponseBody(this, -1);
    this.response = body;
    // RFC 8441, 5: any status of 2xx says yes.
    this.#headReady({ status: 200, type: null, fields: responseFields(response), length: -1 });
    this.stopClocks();
    this.host.setDeadlineAt(this.id, 0);
    this.host.switched(this);
    tunnel.begin(upgrade.successor, body);
    if (this.host.http.ending) tunnel.drain();
  }

  #headReady(head: ResponseHead): void {
    this.#pending = undefined;
    this.head = head;
    this.status = head.status;
    this.responseBegan();
    this.host.ready(this);
  }

  /** They were those of another response. */
  #forgetTrailers(): void {
    this.trailers = undefined;
    const { extras } = this.exchange;
    if (extras !== undefined) extras.trailers = undefined;
  }

  #askTrailers(trailers: TrailerFields): void {
    trailerFields(trailers).then(
      (fields) => {
        this.trailers = fields;
        if (!this.#over && this.head !== undefined) this.host.ready(this);
      },
      (error: unknown) => this.bodyFailed(error),
    );
  }

  bodyReady(): void {
    if (this.#over) return;
    const { trailers } = this.exchange.extras ?? {};
    if (this.trailers === "waiting" && this.response?.ended && trailers !== undefined) this.#askTrailers(trailers);
    if (this.#pending !== undefined) this.#headReady(this.#pending);
    else if (this.head !== undefined) this.host.ready(this);
  }

  bodyFailed(error: unknown): void {
    if (this.#over) return;
    // What has come before an error still leaves: the client may make something of it.
    if (this.head !== undefined) this.host.flush();
    if (this.#over) return;
    this.response?.cancel(error);
    if (!this.headSent && this.head === undefined) {
      this.#pending = undefined;
      this.response = undefined;
      return this.#recover(error);
    }
    // Half a response can't be taken back: an error is how the client learns of it (RFC 9113, 8.1).
    if (!this.exchange.blamesClient(error)) this.host.http.cutOff(error, this.exchange);
    this.host.reset(this, INTERNAL_ERROR, error);
  }

  /** Its head can't be sent. */
  unsendable(error: Error): void {
    this.response?.cancel(error);
    this.response = undefined;
    this.head = undefined;
    this.#recover(error);
  }

  // ---- sending, as the connection's output goes on

  /** There is something that a frame could say. */
  get sendable(): boolean {
    const { response } = this;
    if (this.head === undefined || response === undefined || this.localEnded) return false;
    return !this.headSent || response.queued > 0 || (response.ended && this.trailers !== "waiting");
  }

  sending(head: number, bytes: number): void {
    this.headBytes += head;
    this.sentBytes += head + bytes;
  }

  /** Bytes wait for the client to give the stream, or the connection, a larger window. */
  windowClosed(by: number): void {
    if (this.tunnel?.carries) {
      this.blocked = by;
      return this.tunnel.stuck();
    }
    if (this.blocked !== NOT && this.blocked !== by) this.windowOpened();
    this.blocked = by;
    this.writingBegan();
  }
  /** `granted`: bytes that may be sent from now on, and have not been yet. */
  windowOpened(granted = 0): void {
    if (this.blocked === NOT) return;
    this.#granted = granted;
    if (!this.tunnel?.carries) this.writingEnded();
    this.#granted = 0;
    this.blocked = NOT;
  }
  /** Nobody sees to the clocks of what still waits but us. */
  lingers(): void {
    if (this.blocked !== NOT) this.writingBegan();
  }
  /**
   * Windows hide what the client's kernel does: what it took is what we were let send. Of the whole connection where that
   * has no window: more urgent streams may get all of it, and who waits behind them is not who stalls.
   */
  protected override unacknowledged(): number {
    return this.blocked === BY_CONNECTION ? -this.host.dataSent - this.#granted : -this.sentBytes;
  }

  // ---- the end

  /** The response is out. */
  finished(): void {
    this.#over = true;
    this.stopClocks();
    if (this.#bytesOf !== undefined) recycleBody(this.#bytesOf);
    this.body?.discard();
    this.exchange.finish();
  }

  /** It ends before its time. Returns whether its handler goes on. */
  abort(reason: unknown): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.stopClocks();
    const { exchange, body } = this;
    exchange.abort(reason);
    exchange.fail(reason);
    body?.fail(reason);
    this.response?.cancel(reason);
    this.tunnel?.lost(reason);
    return exchange.running;
  }

  expired(): void {
    if (this.tunnel?.carries) {
      this.deadline = 0;
      return this.tunnel.expired();
    }
    const clock = this.expiredClock();
    if (clock !== undefined) this.#ranOut(clock);
  }

  #ranOut(clock: Clock): void {
    const { host } = this;
    switch (clock) {
      case "read":
        host.fired("readTimeout", "did not send a request's body in time");
        return this.#refuse(408, "the request's body did not arrive in time", bodyTimedOut());
      case "work":
        host.fired("writeTimeout", "was not answered in time: the handler takes longer than it may");
        return this.#refuse(503, "the request was not answered in time", notAnswered());
      case "write":
        host.fired("writeTimeout", "did not read a response in time");
        return host.reset(this, CANCEL, notRead());
      default:
    }
  }

  #tooLarge(): void {
    const limit = this.maxBodyBytes;
    this.host.fired("maxBodyBytes", `sent a body of more than ${limit} bytes`);
    this.#refuse(413, `the request's body is larger than ${limit} bytes`, bodyTooLarge(limit));
  }

  /** The request ends here: with this answer, which is ours and not the handler's, or cut when one has begun. */
  #refuse(status: number, reason: string, error: unknown): void {
    if (this.head !== undefined) return this.host.reset(this, CANCEL, error);
    this.response?.cancel(error);
    this.#pending = undefined;
    this.#forgetTrailers();
    this.exchange.abort(error);
    this.exchange.fail(error);
    this.body?.fail(error);
    this.answer(this.host.http.plain(status, reason));
  }
}

/** Of a stream that is over: whatever the handler gives is dropped when it comes. */
export function dropLater(result: unknown): void {
  Promise.resolve(result).then(dropResponse, () => {});
}

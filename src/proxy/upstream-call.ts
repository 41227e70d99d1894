/** One try at one upstream: a request leaves on a connection of its pool, and the head of an answer comes, or does not. */
import type { Caller, ClientConnection, Received, Switched } from "../client/connection.ts";
import type { HostPool, Seeker } from "../client/pool.ts";
import { ReceivedBody } from "../client/received-body.ts";
import type { ResponseParser } from "../client/response-parser.ts";
import { HeadFields, type LightBody, type NetworkBody } from "../fetch/mod.ts";
import { latin1 } from "../http/exchange.ts";
import type { TrailerFields } from "../http/extras.ts";
import type { IncomingBody } from "../http/incoming-body.ts";
import { TimedOut } from "../runtime/errors.ts";
import type { Failing } from "./counters.ts";
import type { Tunnel } from "./tunnel.ts";
import type { Upstream } from "./upstream.ts";

/** The request as it leaves: the same for each try. */
export interface Outgoing {
  readonly method: string;
  /** Of the upstream's own target: request line and all fields, but for the frame. */
  head(upstream: Upstream): string;
  /** How the body's end is marked: its length, or CHUNKED. */
  readonly framing: number;
  readonly framingLine: string;
  /** Called once there is a connection: from then on the body is used up. */
  takeBody(): LightBody;
  /** Behind a body in chunks. */
  readonly trailers: TrailerFields | undefined;
  readonly signal: AbortSignal | null;
  /** Told of each 103. */
  readonly hinted?: ((fields: string[]) => void) | undefined;
  /** Of a request that may lead out of HTTP. */
  readonly tunnel: (() => Tunnel) | undefined;
}

/** The head of an answer. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  /** As they came: nothing is taken out yet. */
  readonly fields: string[];
  readonly headSize: number;
  readonly body: null | Uint8Array | NetworkBody;
  /** Where trailers have come behind it, or may yet. */
  readonly chunks: IncomingBody | undefined;
  readonly tunnel: Tunnel | undefined;
}

/** How far a request got: not a byte has left, so whatever it was, it can be asked of another. */
export const UNSENT = 0;
/** It left on a connection that had just ended, and nobody has answered: one that is new may do. */
export const STALE = 1;
/** The upstream may have had it. */
export const SENT = 2;
/** A part of an answer has come. */
export const BEGUN = 3;
export type Progress = typeof UNSENT | typeof STALE | typeof SENT | typeof BEGUN;

/** Why there is none. */
export class UpstreamFailure {
  readonly failing: Failing;
  readonly error: unknown;
  readonly progress: Progress;

  constructor(failing: Failing, error: unknown, progress: Progress) {
    this.failing = failing;
    this.error = error;
    this.progress = progress;
  }
}

export class UpstreamCall implements Caller, Seeker {
  readonly method: string;
  readonly url: string;
  readonly headerTimeout: number;
  /** Of an event stream there is none: that it is silent is no fault. */
  bodyTimeout: number;
  readonly signal: AbortSignal | null;
  readonly trailers: TrailerFields | undefined;
  readonly switched:
    | ((connection: ClientConnection, parser: ResponseParser, bytes: Uint8Array, start: number) => Switched)
    | undefined;
  readonly #upstream: Upstream;
  readonly #outgoing: Outgoing;
  readonly #result = Promise.withResolvers<Answer | UpstreamFailure>();
  #settled = false;
  #host: HostPool | undefined;
  #connection: ClientConnection | undefined;
  /** The same, also once it is over. */
  #carried: ClientConnection | undefined;
  #timedOut = false;
  #ended = false;

  constructor(upstream: Upstream, outgoing: Outgoing) {
    this.#upstream = upstream;
    this.#outgoing = outgoing;
    this.method = outgoing.method;
    this.url = upstream.address.target.url;
    const { headerTimeout, bodyTimeout } = upstream.pool.settings();
    this.headerTimeout = headerTimeout;
    this.bodyTimeout = bodyTimeout;
    this.signal = outgoing.signal;
    this.trailers = outgoing.trailers;
    const { tunnel } = outgoing;
    this.switched = tunnel === undefined ? undefined : (...came) => this.#switch(tunnel(), ...came);
  }

  /** Never rejects. `fresh`: not on a connection that was used before. */
  start(fresh: boolean): Promise<Answer | UpstreamFailure> {
    const { signal } = this;
    this.#upstream.begin();
    if (signal?.aborted) {
      this.#fail("aborted", signal.reason, UNSENT);
      return this.#result.promise;
    }
    signal?.addEventListener("abort", this.#aborted);
    this.#host = this.#upstream.pool.host(this.#upstream.address.target);
    this.#host.seek(this, fresh);
    return this.#result.promise;
  }

  connected(connection: ClientConnection): void {
    this.#connection = this.#carried = connection;
    const { framing, framingLine } = this.#outgoing;
    const head = `${this.#outgoing.head(this.#upstream)}${framingLine}\r\n`;
    connection.begin(this, head, this.#outgoing.takeBody(), framing);
  }

  refused(error: unknown): void {
    this.#fail(error instanceof TimedOut ? "timeout" : "refused", error, UNSENT);
  }

  hinted(parser: ResponseParser, bytes: Uint8Array, start: number): void {
    if (this.#outgoing.hinted === undefined) return;
    const head = latin1(bytes, start, parser.end - 4);
    this.#outgoing.hinted(new HeadFields(head, parser.fieldsStart - start).toList());
  }

  answered(
    connection: ClientConnection,
    parser: ResponseParser,
    bytes: Uint8Array,
    start: number,
    received: Received,
  ): void {
    const { status } = parser;
    const head = latin1(bytes, start, parser.end - 4);
    const fields = new HeadFields(head, parser.fieldsStart - start).toList();
    const streamed = received !== null && !(received instanceof Uint8Array);
    if (streamed && isEventStream(fields)) this.bodyTimeout = Number.POSITIVE_INFINITY;
    this.#settle({
      status,
      statusText: head.slice(parser.reasonStart - start, parser.reasonEnd - start),
      fields,
      headSize: head.length,
      body: streamed ? new ReceivedBody(received, connection, null) : received,
      chunks: streamed && parser.chunked && received.knownTrailers?.length !== 0 ? received : undefined,
      tunnel: undefined,
    });
  }

  #switch(
    tunnel: Tunnel,
    connection: ClientConnection,
    parser: ResponseParser,
    bytes: Uint8Array,
    start: number,
  ): Switched {
    const head = latin1(bytes, start, parser.end - 4);
    const fields = new HeadFields(head, parser.fieldsStart - start).toList();
    tunnel.opened(connection);
    this.#settle({ status: 101, statusText: "", fields, headSize: head.length, body: null, chunks: undefined, tunnel });
    return tunnel.upstreamSide;
  }

  lost(error: unknown, untouched: boolean): void {
    const failing = this.signal?.aborted ? "aborted" : this.#timedOut ? "timeout" : "failed";
    this.#fail(failing, error, this.#carried?.touched ? BEGUN : untouched ? STALE : SENT);
  }

  timedOut(): void {
    this.#timedOut = true;
  }

  over(): void {
    this.#connection = undefined;
    this.#end();
  }

  readonly #aborted = (): void => {
    const reason: unknown = this.signal?.reason;
    if (this.#connection !== undefined) return this.#connection.abort(reason);
    this.#host?.leave(this);
    this.#fail("aborted", reason, UNSENT);
  };

  #fail(failing: Failing, error: unknown, progress: Progress): void {
    this.#settle(new UpstreamFailure(failing, error, progress));
    this.#end();
  }

  #settle(result: Answer | UpstreamFailure): void {
    if (this.#settled) return;
    this.#settled = true;
    // Behind the head it is the reader of the body who tells that nobody wants it any more.
    this.signal?.removeEventListener("abort", this.#aborted);
    this.#result.resolve(result);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#upstream.end();
  }
}

function isEventStream(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "content-type") return /^text\/event-stream\b/i.test(fields[i + 1]);
  }
  return false;
}

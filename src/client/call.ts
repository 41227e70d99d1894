/**
 * One call of `fetch`, from the request to the head of the response that counts: redirects are followed, a request that
 * was lost on a connection which had just ended is sent once more where that is safe, and the signal ends it all.
 */
import { HeadFields, type IncomingResponse, type LightBody, type NetworkCall, responseFrom } from "../fetch/mod.ts";
import { latin1 } from "../http/exchange.ts";
import { CHUNKED } from "../http/response-head.ts";
import { TimedOut } from "../runtime/errors.ts";
import type { Caller, Carrier, Received } from "./connection.ts";
import { codingsOf, DecodedBody } from "./content-coding.ts";
import { clientCounters } from "./counters.ts";
import { connectFailed, redirectRefused } from "./errors.ts";
import type { HostPool, Pool, Seeker } from "./pool.ts";
import { ReceivedBody } from "./received-body.ts";
import { follow, isRedirect, type Step } from "./redirect.ts";
import { fieldValue, hasField, requestHead, simpleGet } from "./request-head.ts";
import type { ResponseParser } from "./response-parser.ts";
import { type Target, targetOf } from "./target.ts";

/** Methods of which nobody expects a body (RFC 9110, 8.6), and those that may be sent twice (9.2.2). */
const BODILESS = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

class Head implements IncomingResponse {
  readonly status: number;
  readonly statusText: string;
  readonly head: string;
  readonly fieldsStart: number;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: ResponseType;
  readonly decoded: boolean;

  constructor(
    parser: ResponseParser,
    head: string,
    start: number,
    url: string,
    redirected: boolean,
    type: ResponseType,
    decoded: boolean,
  ) {
    this.status = parser.status;
    this.statusText = head.slice(parser.reasonStart - start, parser.reasonEnd - start);
    this.head = head;
    this.fieldsStart = parser.fieldsStart - start;
    this.url = url;
    this.redirected = redirected;
    this.type = type;
    this.decoded = decoded;
  }
}

export class Call implements Caller, Seeker {
  method = "GET";
  signal: AbortSignal | null = null;
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  readonly #pool: Pool;
  #resolve: ((response: Response) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #target: Target;
  #fields: string[] | null = null;
  #body: LightBody = null;
  #redirect: RequestRedirect = "follow";
  #redirects = 0;
  #type: ResponseType = "basic";
  /** It was sent on a connection that had ended: once is enough. */
  #retries = 0;
  #timedOut = false;
  #host: HostPool | undefined;
  #connection: Carrier | undefined;

  constructor(
    pool: Pool,
    target: Target,
    call: NetworkCall | null,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    const { headerTimeout, bodyTimeout } = pool.settings();
    this.headerTimeout = headerTimeout;
    this.bodyTimeout = bodyTimeout;
    this.#pool = pool;
    this.#target = target;
    this.#resolve = resolve;
    this.#reject = reject;
    if (call === null) return;
    this.method = call.method;
    this.signal = call.signal;
    this.#fields = call.fields;
    this.#body = call.body;
    this.#redirect = call.redirect;
  }

  get url(): string {
    return this.#target.url;
  }

  start(): void {
    const { signal } = this;
    if (signal !== null) {
      if (signal.aborted) return this.#aborted();
      signal.addEventListener("abort", this.#aborted);
    }
    this.#seek(false);
  }

  #seek(fresh: boolean): void {
    this.#host = this.#pool.host(this.#target);
    this.#host.seek(this, fresh);
  }

  // ---- a connection

  connected(connection: Carrier): void {
    this.#connection = connection;
    const target = this.#target;
    const fields = this.#fields;
    const body = this.#body;
    if (fields === null) return connection.begin(this, simpleGet(target), null, 0);
    const framing = this.#framing(body, fields);
    const host = this.#pool.allowHost ? fieldValue(fields, "host") : undefined;
    const head = requestHead(this.method, target, fields, this.#framingLine(framing), host);
    connection.begin(this, head, body, framing);
  }

  /** How the body's end is marked: its length, or chunks. A stream of which the program knows the length may have it. */
  #framing(body: LightBody, fields: readonly string[]): number {
    if (body === null) return 0;
    if (typeof body === "string") return Buffer.byteLength(body);
    if (body instanceof Uint8Array) return body.length;
    if (body instanceof Blob) return body.size;
    const length = fieldValue(fields, "content-length");
    return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : CHUNKED;
  }

  #framingLine(framing: number): string {
    if (framing === CHUNKED) return "transfer-encoding: chunked\r\n";
    if (this.#body === null && BODILESS.has(this.method)) return "";
    return `content-length: ${framing}\r\n`;
  }

  refused(error: unknown): void {
    clientCounters.ended(error instanceof TimedOut ? "timeout" : "refused");
    this.#fail(connectFailed(this.url, error as Error));
  }

  // ---- what comes of it

  answered(connection: Carrier, parser: ResponseParser, bytes: Uint8Array, start: number, body: Received): void {
    const { status } = parser;
    clientCounters.answered(status);
    const head = latin1(bytes, start, parser.end - 4);
    const codings = parser.encodingEnd > 0 && body !== null ? codingsOf(head, parser.fieldsStart - start) : undefined;
    const answer = new Head(parser, head, start, this.url, this.#redirects > 0, this.#type, codings !== undefined);
    if (parser.located && isRedirect(status) && this.#redirect !== "manual") {
      this.#connection = undefined;
      connection.drop();
      // When that connection is free again.
      queueMicrotask(() => this.#follow(answer));
      return;
    }
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#body = null;
    if (status === 205) {
      // https://fetch.spec.whatwg.org/#null-body-status, though HTTP lets it have one.
      connection.drop();
      return resolve?.(responseFrom(answer, null));
    }
    if (body === null || (codings === undefined && body instanceof Uint8Array && this.signal === null)) {
      return resolve?.(responseFrom(answer, body as Uint8Array | null));
    }
    const received = new ReceivedBody(body, connection, this.signal);
    resolve?.(responseFrom(answer, codings === undefined ? received : new DecodedBody(received, codings, this.url)));
  }

  lost(error: unknown, untouched: boolean, unprocessed = false): void {
    this.#connection = undefined;
    const again = unprocessed ? !(this.#body instanceof ReadableStream) : untouched && this.#repeatable();
    if (again && this.#retries < (unprocessed ? MOST_RETRIES : 1)) {
      clientCounters.retried++;
      // At once where a connection has ended; a server that goes on refusing has too much to do.
      const pause = this.#retries++ === 0 ? 0 : PAUSE_MS * 2 ** this.#retries * (0.5 + Math.random() / 2);
      if (pause === 0) return this.#seek(true);
      setTimeout(() => {
        if (this.#reject !== undefined) this.#seek(true);
      }, pause);
      return;
    }
    clientCounters.ended(this.signal?.aborted ? "aborted" : this.#timedOut ? "timeout" : "failed");
    this.#fail(error);
  }

  /** Whether the server may see it twice, if it saw it at all; and it can be said twice. */
  #repeatable(): boolean {
    if (this.#body instanceof ReadableStream) return false;
    if (IDEMPOTENT.has(this.method)) return true;
    return (
      this.#fields !== null &&
      (hasField(this.#fields, "idempotency-key") || hasField(this.#fields, "x-idempotency-key"))
    );
  }

  timedOut(which: "header" | "body"): void {
    this.#timedOut = true;
    clientCounters.timedOut(which);
  }

  over(connection: Carrier): void {
    if (this.#connection !== connection || this.#reject !== undefined) return;
    this.#connection = undefined;
    this.signal?.removeEventListener("abort", this.#aborted);
  }

  readonly #aborted = (): void => {
    const connection = this.#connection;
    if (connection !== undefined) return connection.abort(this.signal?.reason);
    this.#host?.leave(this);
    if (this.#reject !== undefined) clientCounters.ended("aborted");
    this.#fail(this.signal?.reason);
  };

  #fail(error: unknown): void {
    const reject = this.#reject;
    const body = this.#body;
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#body = null;
    this.signal?.removeEventListener("abort", this.#aborted);
    if (body instanceof ReadableStream && !body.locked) body.cancel(error).catch(() => {});
    reject?.(error);
  }

  // ---- redirects

  #follow({ status, head, fieldsStart }: Head): void {
    if (this.#reject === undefined) return;
    let step: Step;
    try {
      if (this.#redirect === "error") {
        throw redirectRefused(this.url, "Encountered redirect while redirect mode is set to 'error'");
      }
      if (++this.#redirects > MAX_REDIRECTS) {
        throw redirectRefused(this.url, `Maximum number of redirects (${MAX_REDIRECTS}) reached`);
      }
      const location = new HeadFields(head, fieldsStart).get("location") ?? "";
      const before = { method: this.method, url: this.url, fields: this.#fields ?? [], body: this.#body };
      step = follow(before, status, location);
      const target = targetOf(step.url);
      if (target.origin !== this.#target.origin) this.#type = "cors";
      this.#target = target;
    } catch (error) {
      clientCounters.ended("failed");
      return this.#fail(error);
    }
    this.method = step.method;
    this.#body = step.body;
    this.#fields = this.#fields === null ? null : [...step.fields];
    this.#retries = 0;
    this.#seek(false);
  }
}

/** How often what a server says it has not begun with is asked again (RFC 9113, 8.7), and after which times, doubling. */
const MOST_RETRIES = 5;
const PAUSE_MS = 10;
/** https://fetch.spec.whatwg.org/#http-redirect-fetch, step 7. */
const MAX_REDIRECTS = 20;

/**
 * One request and its answer, as the handler's Request and info see it. It holds the head as one string and looks
 * into it only when asked; signal, address and promises are made when first touched.
 */
import type { Handle } from "../../ffi/poller.ts";
import type { IncomingRequest } from "../fetch/mod.ts";
import type { Addr } from "../net/mod.ts";
import type { IncomingBody } from "./incoming-body.ts";
import type { HeadParser } from "./parser.ts";
import { authorityOf, requestUrl } from "./request-url.ts";

/** What a handler is told beside the request. */
export interface ServeHandlerInfo<A extends Addr = Addr> {
  /** The peer's address. */
  readonly remoteAddr: A;
  /** Settles when the response has been sent, or rejects when it could not be. */
  readonly completed: Promise<void>;
}

/** What an exchange asks of the server. */
export interface ExchangeHost {
  readonly listener: { readonly addr: Addr };
  /** The peer's address, as long as the connection is the one that had this serial number. */
  remoteAddress(handle: Handle, serial: number): Addr;
}

export class Exchange implements IncomingRequest {
  readonly method: string;
  readonly head: string;
  readonly fieldsStart: number;
  body: IncomingBody | undefined;

  readonly #host: ExchangeHost;
  readonly #handle: Handle;
  readonly #serial: number;
  readonly #targetStart: number;
  readonly #targetEnd: number;
  readonly #hostStart: number;
  readonly #hostEnd: number;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #remoteAddress: Addr | undefined;
  #completed: PromiseWithResolvers<void> | undefined;
  /** Undefined while it runs, null when it ended well, else why it did not. */
  #end: unknown;

  constructor(
    host: ExchangeHost,
    handle: Handle,
    serial: number,
    method: string,
    head: string,
    targetStart: number,
    targetEnd: number,
    fieldsStart: number,
    hostStart: number,
    hostEnd: number,
  ) {
    this.#host = host;
    this.#handle = handle;
    this.#serial = serial;
    this.method = method;
    this.head = head;
    this.#targetStart = targetStart;
    this.#targetEnd = targetEnd;
    this.fieldsStart = fieldsStart;
    this.#hostStart = hostStart;
    this.#hostEnd = hostEnd;
    this.body = undefined;
    this.#controller = undefined;
    this.#abortReason = undefined;
    this.#remoteAddress = undefined;
    this.#completed = undefined;
    this.#end = undefined;
  }

  url(): string {
    const named = this.#hostEnd > this.#hostStart;
    const host = named ? this.head.slice(this.#hostStart, this.#hostEnd) : authorityOf(this.#host.listener.addr);
    return requestUrl("http", host, this.head.slice(this.#targetStart, this.#targetEnd));
  }

  /** A Request of Fetch has none when its method is GET or HEAD: then what came is dropped (RFC 9110, 9.3.1). */
  hasBody(): boolean {
    return this.body !== undefined && this.method !== "GET" && this.method !== "HEAD";
  }
  openBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#theBody().stream();
  }
  readAll(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#theBody().readAll();
  }

  signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** The client went away, or the server gives up: the handler's signal says so. */
  abort(reason: unknown): void {
    if (this.#abortReason !== undefined || this.#end === null) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  /** True when an error is only our own word that the client went away, come back through the handler. */
  blamesClient(error: unknown): boolean {
    return error !== undefined && (error === this.#abortReason || error === this.body?.failure);
  }

  get remoteAddress(): Addr {
    return (this.#remoteAddress ??= this.#host.remoteAddress(this.#handle, this.#serial));
  }

  get completed(): Promise<void> {
    if (this.#completed === undefined) {
      this.#completed = Promise.withResolvers();
      // Nobody has to listen: an unsent response is no unhandled rejection.
      this.#completed.promise.catch(() => {});
      this.#settle();
    }
    return this.#completed.promise;
  }

  /** The response has been sent. */
  finish(): void {
    if (this.#end !== undefined) return;
    this.#end = null;
    if (this.#completed !== undefined) this.#settle();
  }

  /** The response could not be sent. */
  fail(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = reason ?? new Error("the response could not be sent");
    if (this.#completed !== undefined) this.#settle();
  }

  #settle(): void {
    if (this.#end === undefined) return;
    if (this.#end === null) this.#completed?.resolve();
    else this.#completed?.reject(this.#end);
  }

  #theBody(): IncomingBody {
    if (this.body === undefined) throw new TypeError("this request has no body");
    return this.body;
  }
}

export class HandlerInfo implements ServeHandlerInfo {
  readonly #exchange: Exchange;
  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }
  get remoteAddr(): Addr {
    return this.#exchange.remoteAddress;
  }
  get completed(): Promise<void> {
    return this.#exchange.completed;
  }
}

/** The exchange of the request that `parser` has just found in `bytes`. */
export function exchangeFrom(
  parser: HeadParser,
  bytes: Uint8Array,
  host: ExchangeHost,
  handle: Handle,
  serial: number,
): Exchange {
  const { start } = parser;
  return new Exchange(
    host,
    handle,
    serial,
    methodName(bytes, start, parser.methodEnd),
    latin1(bytes, start, parser.end - 4),
    parser.targetStart - start,
    parser.targetEnd - start,
    parser.fieldsStart - start,
    parser.hasHost ? parser.hostStart - start : 0,
    parser.hasHost ? parser.hostEnd - start : 0,
  );
}

/** The usual methods without making a string. */
function methodName(bytes: Uint8Array, start: number, end: number): string {
  const first = bytes[start];
  if (end - start === 3) {
    if (first === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return "GET";
    if (first === 0x50 && bytes[start + 1] === 0x55 && bytes[start + 2] === 0x54) return "PUT";
  } else if (end - start === 4) {
    if (first === 0x50 && bytes[start + 1] === 0x4f && bytes[start + 2] === 0x53 && bytes[start + 3] === 0x54) {
      return "POST";
    }
  }
  return latin1(bytes, start, end);
}

const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

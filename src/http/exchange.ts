/**
 * One request and its answer, as the handler's Request and info see it. It holds the head as one string and looks
 * into it only when asked; signal, address and promises are made when first touched.
 */
import type { Handle } from "../../ffi/poller.ts";
import type { IncomingRequest } from "../fetch/mod.ts";
import type { Addr } from "../net/mod.ts";
import { readLimit } from "../options/limits.ts";
import { go, type Task } from "../runtime/tasks.ts";
import type { TlsInfo } from "../tls/info.ts";
import { Extras, hintFields, receivedTrailers, type TrailerFields } from "./extras.ts";
import type { Forwarded } from "./forwarded.ts";
import type { IncomingBody } from "./incoming-body.ts";
import type { RequestLimits } from "./limits.ts";
import type { HeadParser } from "./parser.ts";
import { authorityOf, forwardedUrl, requestUrl } from "./request-url.ts";
import type { Upgradable } from "./upgrade.ts";

/** What a handler is told beside the request. */
export interface ServeHandlerInfo<A extends Addr = Addr> {
  /** The peer's address. */
  readonly remoteAddr: A;
  /** Settles when the response has been sent, or rejects when it could not be. */
  readonly completed: Promise<void>;
  /** What the access log calls this request, also sent back as x-request-id; undefined without `--access-log`. */
  readonly requestId: string | undefined;
  /** What the client and this server have agreed on; undefined without TLS, and once the connection is gone. */
  readonly tls: TlsInfo | undefined;
  /**
   * How long the client may take for the body from now on: `"2m"`, milliseconds, or `"none"`. Bytes that come at
   * `minRate` or faster extend it.
   */
  setReadTimeout(timeout: number | string): void;
  /** How long from now the response may take to begin, and later the client to read it. */
  setWriteTimeout(timeout: number | string): void;
  /**
   * How large the request's body may be: `"1GiB"`, bytes, or `"none"`. A body that announces more than the server's
   * own limit never gets to the handler: raise the limit for it in the server's `limits` hook.
   */
  setMaxBodyBytes(size: number | string): void;
  /** Bytes a second that keep a moving body alive: `"4KiB"`; 0 makes both timeouts absolute. */
  setMinRate(rate: number | string): void;
  /**
   * Sends a 103 with these fields before the response (RFC 8297): `link`, so that a browser fetches what the page will need
   * while it is being made. Does nothing once the response has begun, and for clients of HTTP/1.0.
   */
  earlyHints(headers: HeadersInit): void;
  /**
   * Sends these fields behind the body (RFC 9110, 6.5): at once, promised, or given by a function that is called when the
   * body is done. HTTP/1.1 sends the body in chunks for that. What has no body, or a client of HTTP/1.0, gets none.
   */
  trailers(fields: HeadersInit | Promise<HeadersInit> | (() => HeadersInit | Promise<HeadersInit>)): void;
  /**
   * The fields that the client has sent behind the request's body (RFC 9110, 6.5), once all of that has come: read the body
   * first. Empty where there are none; rejects when the body can't arrive whole.
   */
  requestTrailers(): Promise<Headers>;
  /** Starts a task whose signal aborts when this request's does. */
  go(name: string, fn: (signal: AbortSignal) => unknown): Task;
}

/** Who moves the bytes of an exchange, once that takes longer than a moment. */
export interface ExchangeOwner {
  /** There is a 103 to be sent. */
  hinted(extras: Extras): void;
  /** What it moves may lead out of HTTP (RFC 8441). */
  readonly tunnel?: object | undefined;
  limitsSet(limits: RequestLimits, read: boolean, write: boolean): void;
}

/** What an exchange asks of the server. */
export interface ExchangeHost {
  readonly listener: { readonly addr: Addr };
  /** What its connections carry, unless a proxy says otherwise. */
  readonly scheme: "http" | "https";
  /** The peer's address, as long as the connection is the one that had this serial number. */
  remoteAddress(handle: Handle, serial: number): Addr;
  /** Likewise. */
  tlsInfo(handle: Handle, serial: number): TlsInfo | undefined;
}

export class Exchange implements IncomingRequest, Upgradable {
  readonly method: string;
  readonly head: string;
  readonly fieldsStart: number;
  body: IncomingBody | undefined;
  /** What this request has for itself, where it differs from the server's limits. */
  limits: RequestLimits | undefined;
  owner: ExchangeOwner | undefined;
  /** What comes before the response's head, and behind its body. */
  extras: Extras | undefined;
  /** Its handler's promise is pending. */
  running: boolean;
  /** Sent back as x-request-id. */
  requestId: string | undefined;

  /** Its peer is a proxy that is trusted: what it says of its client holds. */
  believed = false;

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
  #forwarded: Forwarded | undefined;
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
    this.limits = undefined;
    this.owner = undefined;
    this.extras = undefined;
    this.running = false;
    this.requestId = undefined;
    this.#controller = undefined;
    this.#abortReason = undefined;
    this.#remoteAddress = undefined;
    this.#forwarded = undefined;
    this.#completed = undefined;
    this.#end = undefined;
  }

  url(): string {
    const named = this.#hostEnd > this.#hostStart;
    const host = named ? this.head.slice(this.#hostStart, this.#hostEnd) : authorityOf(this.#host.listener.addr);
    if (this.#forwarded !== undefined) return forwardedUrl(this.#forwarded, this.#host.scheme, host, this.target);
    return requestUrl(this.#host.scheme, host, this.target);
  }

  /** What trusted proxies say of the client, and of what it asked them for. */
  forwarded(said: Forwarded, believed: boolean): void {
    this.believed = believed;
    this.#remoteAddress = said.remoteAddr;
    if (said.proto !== undefined || said.host !== undefined) this.#forwarded = said;
  }

  /** Host as it came, or what stood for it: "" where HTTP/1.0 says none. */
  get authority(): string {
    return this.head.slice(this.#hostStart, this.#hostEnd);
  }
  get scheme(): "http" | "https" {
    return this.#host.scheme;
  }
  /** Who sent it, whatever proxies say of where it comes from. */
  get peerAddress(): Addr {
    return this.#host.remoteAddress(this.#handle, this.#serial);
  }

  /** The target as it came. */
  get target(): string {
    return this.head.slice(this.#targetStart, this.#targetEnd);
  }

  /** Sets one limit of this request, at once, also while its body moves. */
  setLimit(name: keyof RequestLimits, value: number | string): void {
    const limits = (this.limits ??= {});
    limits[name] = readLimit(name, value, `${name} of a request`);
    const rate = name === "minRate";
    this.owner?.limitsSet(limits, rate || name === "readTimeout", rate || name === "writeTimeout");
  }

  earlyHints(headers: HeadersInit): void {
    const extras = (this.extras ??= new Extras());
    extras.hints.push(hintFields(headers));
    this.owner?.hinted(extras);
  }
  trailers(fields: TrailerFields): void {
    const extras = (this.extras ??= new Extras());
    extras.trailers = fields;
    extras.of = undefined;
    // Told when it is waited for, and only if it is.
    if (fields instanceof Promise) fields.catch(() => {});
  }

  async requestTrailers(): Promise<Headers> {
    return receivedTrailers(this.body !== undefined && this.hasBody() ? await this.body.trailers() : []);
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

  get tls(): TlsInfo | undefined {
    return this.#host.tlsInfo(this.#handle, this.#serial);
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

  get tunnel(): boolean {
    return this.owner?.tunnel !== undefined;
  }

  /** RFC 9110, 7.8: HTTP/1.0 knows no upgrade, and a body would have to come first. */
  upgradeFault(): string | undefined {
    if (this.head.startsWith("HTTP/1.0", this.fieldsStart - 10)) return "Invalid version: an upgrade needs HTTP/1.1";
    return this.body === undefined ? undefined : "Invalid request: one for an upgrade has no body";
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
  get requestId(): string | undefined {
    return this.#exchange.requestId;
  }
  get tls(): TlsInfo | undefined {
    return this.#exchange.tls;
  }
  setReadTimeout(timeout: number | string): void {
    this.#exchange.setLimit("readTimeout", timeout);
  }
  setWriteTimeout(timeout: number | string): void {
    this.#exchange.setLimit("writeTimeout", timeout);
  }
  setMaxBodyBytes(size: number | string): void {
    this.#exchange.setLimit("maxBodyBytes", size);
  }
  setMinRate(rate: number | string): void {
    this.#exchange.setLimit("minRate", rate);
  }
  earlyHints(headers: HeadersInit): void {
    this.#exchange.earlyHints(headers);
  }
  trailers(fields: TrailerFields): void {
    this.#exchange.trailers(fields);
  }
  requestTrailers(): Promise<Headers> {
    return this.#exchange.requestTrailers();
  }
  go(name: string, fn: (signal: AbortSignal) => unknown): Task {
    return go(name, fn, { signal: this.#exchange.signal(), ofRequest: true });
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

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

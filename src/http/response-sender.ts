/**
 * Sends one response of any kind: strings and bytes of any size, Blobs, streams with back-pressure in both directions,
 * answers to HEAD, responses of other implementations. The common small ones never come here (`simple-response.ts`).
 */
import { SENDING } from "../../ffi/poller.ts";
import {
  isForeignResponse,
  isLightResponse,
  markBodyUsed,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
  responseStatusText,
  toLightResponse,
} from "../fetch/mod.ts";
import { logError } from "../runtime/log.ts";
import type { HttpConnection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";
import { CHUNKED, UNFRAMED, writeHead } from "./response-head.ts";
import { isBodiless, persistence, writeChunkSize, writeSimple } from "./simple-response.ts";

/** Bytes given to the poller at once: what a full send buffer leaves over is copied, so this bounds the copy. */
const SLICE = 256 * 1024;
/** What one response may send before all others get their turn, in bytes, and what a chunk counts beside its own. */
const BURST = 1024 * 1024;
const CHUNK_COST = 16 * 1024;
const CRLF = new Uint8Array([0x0d, 0x0a]);
const LAST_CHUNK = new Uint8Array([0x30, 0x0d, 0x0a, 0x0d, 0x0a]);
const CR = 0x0d;
const LF = 0x0a;

type Bytes = Uint8Array<ArrayBufferLike>;

export class ResponseSender {
  readonly #connection: HttpConnection;
  readonly #exchange: Exchange;
  readonly #out: Outgoing;
  /** Only the connection's end tells the client where the body ends. */
  unframed = false;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The head is out, or on its way. */
  begun = false;
  /** Since the others had their turn. */
  #spent = 0;
  /** A stream is being waited for. */
  waiting = false;

  constructor(connection: HttpConnection, exchange: Exchange) {
    this.#connection = connection;
    this.#exchange = exchange;
    this.#out = outgoingBuffer(connection.host.poller.outgoing);
  }

  /** A response that came too late: its stream is told that nobody reads it. */
  static drop(value: unknown): void {
    if (!isLightResponse(value) && !isForeignResponse(value)) return;
    const body = isLightResponse(value) ? responseBody(value) : value.body;
    if (body instanceof ReadableStream && !body.locked) {
      body.cancel(new DOMException("the client went away", "AbortError")).catch(() => {});
    }
  }

  /** The connection ended: stop, and tell the stream. */
  cancel(reason: unknown): void {
    this.#reader?.cancel(reason).catch(() => {});
    this.#reader = undefined;
  }

  send(value: unknown): void {
    let response: Response;
    try {
      response = lightResponse(value);
    } catch (error) {
      this.#connection.recover(this.#exchange, error);
      return;
    }
    const head = this.#exchange.method === "HEAD";
    if (!head && !(responseBody(response) instanceof ReadableStream)) {
      const { host } = this.#connection;
      const persists = this.#connection.decidePersistence(false);
      const end = writeSimple(this.#out, 0, response, persists, this.#connection.minor, this.#exchange.requestId);
      if (end > 0) {
        this.begun = true;
        this.#connection.responding(responseStatus(response));
        this.#connection.sending(end);
        const result = host.poller.sendOutgoing(this.#connection.handle, 0, end);
        if (result < 0) return this.#connection.broken(result);
        if (result !== SENDING) return this.#connection.finished(this.#exchange);
        this.#connection.drained().then(
          () => this.#connection.finished(this.#exchange),
          () => {},
        );
        return;
      }
    }
    this.#send(response, head).then(
      () => this.#connection.finished(this.#exchange),
      (error: unknown) => this.#failed(error),
    );
  }

  async #send(response: Response, head: boolean): Promise<void> {
    const status = responseStatus(response);
    const fields = responseFields(response);
    const body = responseBody(response);
    const announced = announcedLength(fields);
    const none = head || isBodiless(status);
    const connection = this.#connection;
    if (asksToClose(fields)) connection.keepAlive = false;
    markBodyUsed(response);
    if (none && body instanceof ReadableStream) body.cancel().catch(() => {});

    let first: ReadableStreamReadResult<Uint8Array> | undefined;
    if (!none && body instanceof ReadableStream && connection.expectsContinue) {
      // It may be made of the request's body, and "100 Continue" can only come before the head.
      const reader = this.#open(body);
      first = await this.#read(reader);
      if (this.#reader !== reader) return;
    }
    connection.decidePersistence(body instanceof ReadableStream);

    let framing: number;
    if (isBodiless(status)) framing = status === 304 && announced >= 0 ? announced : UNFRAMED;
    else if (body === null) framing = head && announced >= 0 ? announced : 0;
    else if (typeof body === "string") framing = Buffer.byteLength(body);
    else if (body instanceof Uint8Array) framing = body.length;
    else if (body instanceof Blob) framing = body.size;
    else if (announced >= 0) framing = announced;
    else if (connection.minor === 1) framing = head ? UNFRAMED : CHUNKED;
    else {
      framing = UNFRAMED; // HTTP/1.0 knows no chunks: the body ends with the connection (RFC 9112, 6.3)
      if (!none) connection.keepAlive = false;
    }
    this.unframed = framing === UNFRAMED && !none;
    const end = writeHead(
      this.#out,
      0,
      status,
      responseStatusText(response),
      responseContentType(response),
      fields,
      framing,
      persistence(connection.keepAlive, connection.minor),
      this.#exchange.requestId,
    );
    if (end < 0) {
      const error = new TypeError("the response's header fields do not fit into 64 KiB");
      if (body instanceof ReadableStream && !body.locked) body.cancel(error).catch(() => {});
      throw error;
    }
    this.begun = true;
    connection.responding(status);
    await this.#flush(end);
    if (none || body === null) return;
    if (typeof body === "string") await this.#text(body);
    else if (body instanceof Uint8Array) await this.#bytes(body);
    else await this.#stream(body instanceof Blob ? body.stream() : body, framing, first);
  }

  /** Copies a stream's chunks to the client, one at a time: the next is asked for when the last has left. */
  async #stream(
    stream: ReadableStream<Uint8Array>,
    framing: number,
    first: ReadableStreamReadResult<Uint8Array> | undefined,
  ): Promise<void> {
    const reader = this.#reader ?? this.#open(stream);
    if (this.#connection.closed) return this.cancel(undefined);
    let left = framing;
    for (;;) {
      const others = this.#yield(CHUNK_COST);
      if (others !== undefined) {
        await others;
        if (this.#reader !== reader) return;
      }
      const { done, value } = first ?? (await this.#read(reader));
      first = undefined;
      if (this.#reader !== reader) return; // cancelled: the connection has said why
      if (done) break;
      const chunk: unknown = value;
      if (!(chunk instanceof Uint8Array)) {
        const error = new TypeError("a response's stream must give Uint8Arrays");
        reader.cancel(error).catch(() => {});
        throw error;
      }
      if (chunk.length === 0) continue;
      if (framing === CHUNKED) await this.#chunk(chunk);
      else {
        if (framing >= 0 && (left -= chunk.length) < 0) {
          const error = new TypeError("a response's stream gave more bytes than its content-length");
          reader.cancel(error).catch(() => {});
          throw error;
        }
        await this.#bytes(chunk);
      }
      if (this.#reader !== reader) return;
    }
    this.#reader = undefined;
    if (framing >= 0 && left > 0) throw new TypeError("a response's stream gave fewer bytes than its content-length");
    if (framing === CHUNKED) await this.#bytes(LAST_CHUNK);
  }

  #open(stream: ReadableStream<Uint8Array>): ReadableStreamDefaultReader<Uint8Array> {
    return (this.#reader = stream.getReader());
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
    this.waiting = true;
    const result = await reader.read();
    this.waiting = false;
    return result;
  }

  async #chunk(chunk: Bytes): Promise<void> {
    let at = writeChunkSize(this.#out, 0, chunk.length);
    if (at + chunk.length + 2 <= this.#out.length) {
      this.#out.set(chunk, at);
      at += chunk.length;
      this.#out[at] = CR;
      this.#out[at + 1] = LF;
      return this.#flush(at + 2);
    }
    await this.#flush(at);
    await this.#bytes(chunk);
    await this.#bytes(CRLF);
  }

  #flush(end: number): Promise<void> | undefined {
    this.#connection.sending(end);
    return this.#after(this.#connection.host.poller.sendOutgoing(this.#connection.handle, 0, end));
  }

  /** A string is encoded as it leaves: a client that stalls does not make a copy of the whole wait with it. */
  async #text(text: string): Promise<void> {
    for (let at = 0; at < text.length; ) {
      if (this.#connection.closed) return;
      let end = Math.min(text.length, at + SLICE);
      // A pair of surrogates is one character.
      const last = text.charCodeAt(end - 1);
      if (end < text.length && last >= 0xd800 && last < 0xdc00) end--;
      await this.#bytes(Buffer.from(text.slice(at, end)));
      at = end;
    }
  }

  async #bytes(bytes: Bytes): Promise<void> {
    for (let at = 0; at < bytes.length; at += SLICE) {
      if (this.#connection.closed) return;
      const end = Math.min(bytes.length, at + SLICE);
      this.#connection.sending(end - at);
      const wait = this.#after(this.#connection.host.poller.send(this.#connection.handle, bytes, at, end));
      if (wait !== undefined) await wait;
      const others = this.#yield(end - at);
      if (others !== undefined) await others;
    }
  }

  /**
   * A stream that always has more, and a client that always takes it, would go on in microtasks for ever, and nobody
   * else would be served (measured: 4 s, for as long as the client read). So the others get a turn now and then.
   */
  #yield(cost: number): Promise<void> | undefined {
    this.#spent += cost;
    if (this.#spent < BURST) return undefined;
    this.#spent = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }

  #after(result: number): Promise<void> | undefined {
    if (result < 0) this.#connection.broken(result);
    return result === SENDING ? this.#connection.drained() : undefined;
  }

  #failed(error: unknown): void {
    const connection = this.#connection;
    if (connection.closed) return;
    if (!this.begun) return connection.recover(this.#exchange, error);
    // Half a response can't be taken back: cutting the connection is how the client learns of it (RFC 9112, 8).
    if (!this.#exchange.blamesClient(error)) logError("a response was cut off", error);
    connection.closeWith(error);
    // Chunks or a length that are missing show by themselves; a body that ends with the connection needs a reset.
    if (this.unframed) connection.host.cut(connection);
    else connection.host.abandon(connection);
  }
}

function lightResponse(value: unknown): Response {
  const response = isLightResponse(value) ? value : isForeignResponse(value) ? toLightResponse(value) : undefined;
  if (response === undefined) {
    throw new TypeError(`the handler must return a Response or a promise of one, not ${nameOf(value)}`);
  }
  if (responseStatus(response) === 0) throw new TypeError("the handler returned a network error (Response.error())");
  if (responseBodyUsed(response)) {
    throw new TypeError("the handler returned a Response whose body was already read; return a new one, or clone it");
  }
  return response;
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const name: unknown = typeof value === "object" ? value.constructor?.name : undefined;
  return typeof name === "string" ? `an object of class ${name}` : `a ${typeof value}`;
}

function announcedLength(fields: readonly string[] | null): number {
  if (fields === null) return -1;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "content-length" && /^\d{1,15}$/.test(fields[i + 1])) return Number(fields[i + 1]);
  }
  return -1;
}

function asksToClose(fields: readonly string[] | null): boolean {
  if (fields === null) return false;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "connection" && /(?:^|,)\s*close\s*(?:,|$)/i.test(fields[i + 1])) return true;
  }
  return false;
}

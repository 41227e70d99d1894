/**
 * Sends one response of any kind: strings and bytes of any size, Blobs, streams with back-pressure in both directions,
 * answers to HEAD, responses of other implementations. The common small ones never come here (`simple-response.ts`).
 * How the bytes get out is `body-output.ts`'s and, for streams, `stream-pump.ts`'s.
 */
import { SENDING } from "../../ffi/poller.ts";
import {
  type LightBody,
  markBodyUsed,
  recycleBody,
  responseBody,
  responseContentType,
  responseFields,
  responseStatus,
  responseStatusText,
} from "../fetch/mod.ts";
import { type FileSource, fileBehind } from "../runtime/file-source.ts";
import { BLOB_PART, BodyOutput, fileTooShort, sizeOf } from "./body-output.ts";
import type { HttpConnection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import { type TrailerFields, trailersOf } from "./extras.ts";
import { CHUNKED, UNFRAMED, writeHead } from "./response-head.ts";
import { announcedLength, lightResponse } from "./sendable.ts";
import { isBodiless, persistence, writeSimple } from "./simple-response.ts";
import { StreamPump } from "./stream-pump.ts";
import { promised, writeSwitch } from "./upgrade.ts";

export class ResponseSender {
  readonly #connection: HttpConnection;
  readonly #exchange: Exchange;
  readonly #output: BodyOutput;
  /** Only the connection's end tells the client where the body ends. */
  unframed = false;
  /** The head is out, or on its way. */
  begun = false;
  /** Of a stream, also of one whose file is sent in its place: to cancel it closes the file. */
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #pump: StreamPump | undefined;
  #waiting = false;

  constructor(connection: HttpConnection, exchange: Exchange) {
    this.#connection = connection;
    this.#exchange = exchange;
    this.#output = new BodyOutput(connection);
  }

  /** A stream is being waited for. */
  get waiting(): boolean {
    return this.#waiting || this.#pump?.waiting === true;
  }

  /** The connection ended: stop, and tell the stream. */
  cancel(reason: unknown): void {
    this.#pump?.stop();
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
    if (responseStatus(response) === 101) return this.#switch(response);
    const head = this.#exchange.method === "HEAD";
    const trailers = trailersOf(this.#exchange.extras, response);
    if (!head && trailers === undefined && !(responseBody(response) instanceof ReadableStream)) {
      const { host } = this.#connection;
      const persists = this.#connection.decidePersistence(false);
      const end = writeSimple(
        this.#output.out,
        0,
        response,
        persists,
        this.#connection.minor,
        this.#exchange.requestId,
      );
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

  /** HTTP ends here, and another protocol carries on, if the handler has said which. */
  #switch(response: Response): void {
    const connection = this.#connection;
    const upgrade = promised(response);
    if (upgrade?.request !== this.#exchange) {
      return connection.recover(this.#exchange, new TypeError("a response with status 101 answers another request"));
    }
    markBodyUsed(response);
    const end = writeSwitch(this.#output.out, responseFields(response) ?? [], this.#exchange.requestId);
    if (end < 0) return connection.recover(this.#exchange, new TypeError("the response's head is too large"));
    this.begun = true;
    connection.responding(101);
    connection.sending(end);
    const result = connection.host.poller.sendOutgoing(connection.handle, 0, end);
    if (result < 0) return connection.broken(result);
    connection.switchTo(this.#exchange, upgrade.successor, result === SENDING);
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
    // They can only come behind chunks (RFC 9112, 7.1.2).
    const trailers = none || connection.minor === 0 ? undefined : trailersOf(this.#exchange.extras, response);
    const whole = trailers === undefined ? undefined : streamOf;
    const stream = body instanceof ReadableStream ? body : whole?.(body);
    let file = stream === undefined ? undefined : fileBehind(stream);
    const fileSize = file === undefined || isBodiless(status) ? -1 : sizeOf(file);
    // What says that it is empty may be of those that are made as they are read (/proc).
    if (fileSize <= 0) file = undefined;
    if (none) stream?.cancel().catch(() => {});

    let first: ReadableStreamReadResult<Uint8Array> | undefined;
    if (!none && stream !== undefined && file === undefined && connection.expectsContinue) {
      // It may be made of the request's body, and "100 Continue" can only come before the head.
      const reader = this.#open(stream);
      this.#waiting = true;
      first = await reader.read();
      this.#waiting = false;
      if (this.#reader !== reader) return;
    }
    connection.decidePersistence(stream !== undefined && file === undefined);

    let framing: number;
    if (trailers !== undefined) {
      framing = CHUNKED;
      file = undefined;
    } else if (isBodiless(status)) framing = status === 304 && announced >= 0 ? announced : UNFRAMED;
    else if (body === null) framing = head && announced >= 0 ? announced : 0;
    else if (typeof body === "string") framing = Buffer.byteLength(body);
    else if (body instanceof Uint8Array) framing = body.length;
    else if (body instanceof Blob) framing = body.size;
    else if (announced >= 0) framing = announced;
    else if (file !== undefined) framing = fileSize;
    else if (connection.minor === 1) framing = head ? UNFRAMED : CHUNKED;
    else {
      framing = UNFRAMED; // HTTP/1.0 knows no chunks: the body ends with the connection (RFC 9112, 6.3)
      if (!none) connection.keepAlive = false;
    }
    this.unframed = framing === UNFRAMED && !none;
    const output = this.#output;
    const end = writeHead(
      output.out,
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
      if (stream !== undefined && !stream.locked) stream.cancel(error).catch(() => {});
      throw error;
    }
    this.begun = true;
    connection.responding(status);
    if (trailers !== undefined && stream !== undefined) await this.#stream(end, stream, framing, first, trailers);
    else if (none || body === null) await output.flush(end);
    else if (typeof body === "string") await output.headAndText(end, body);
    else if (body instanceof Uint8Array) {
      try {
        await output.headAndBytes(end, body);
      } finally {
        recycleBody(response);
      }
    } else if (file !== undefined && stream !== undefined) await this.#file(end, stream, file, framing);
    else if (body instanceof Blob && body.size > BLOB_PART) await output.headAndBlob(end, body);
    else await this.#stream(end, stream ?? (body as Blob).stream(), framing, first);
  }

  async #stream(
    head: number,
    stream: ReadableStream<Uint8Array>,
    framing: number,
    first: ReadableStreamReadResult<Uint8Array> | undefined,
    trailers?: TrailerFields,
  ): Promise<void> {
    const pump = new StreamPump(this.#output, this.#reader ?? this.#open(stream), framing, trailers, true);
    this.#pump = pump;
    await pump.run(head, first);
    this.#reader = undefined;
  }

  /** The kernel sends what the stream would have read. */
  async #file(head: number, stream: ReadableStream<Uint8Array>, file: FileSource, length: number): Promise<void> {
    const reader = this.#open(stream);
    const output = this.#output;
    try {
      if (file.kind === "memory") {
        const bytes = file.left() ?? NOTHING;
        await output.headAndBytes(head, bytes.subarray(0, length));
        if (bytes.length < length) throw fileTooShort(length - bytes.length);
      } else await output.headAndFile(head, file, length);
    } finally {
      this.#reader = undefined;
      reader.cancel().catch(() => {});
    }
  }

  #open(stream: ReadableStream<Uint8Array>): ReadableStreamDefaultReader<Uint8Array> {
    return (this.#reader = stream.getReader());
  }

  #failed(error: unknown): void {
    const connection = this.#connection;
    if (connection.closed) return;
    if (!this.begun) return connection.recover(this.#exchange, error);
    // Half a response can't be taken back: cutting the connection is how the client learns of it (RFC 9112, 8).
    if (!this.#exchange.blamesClient(error)) connection.host.cutOff(error, this.#exchange);
    connection.closeWith(error);
    // Chunks or a length that are missing show by themselves; a body that ends with the connection needs a reset.
    if (this.unframed) connection.host.cut(connection);
    else connection.host.abandon(connection);
  }
}

const NOTHING = new Uint8Array(0);

/** Of a body that is none. */
function streamOf(body: Exclude<LightBody, ReadableStream>): ReadableStream<Uint8Array> {
  if (body instanceof Blob) return body.stream();
  return new ReadableStream({
    start(controller) {
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      if (bytes !== null && bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

function asksToClose(fields: readonly string[] | null): boolean {
  if (fields === null) return false;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "connection" && /(?:^|,)\s*close\s*(?:,|$)/i.test(fields[i + 1])) return true;
  }
  return false;
}

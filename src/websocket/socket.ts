/** The `WebSocket` of the standard (https://websockets.spec.whatwg.org), on the server's side as Deno gives it. */
import { describe, INSPECT } from "../fetch/inspect.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { mayBeSent, NO_STATUS, NORMAL } from "./close-codes.ts";
import type { Compression } from "./compression.ts";
import { CLOSED, CLOSING, CONNECTING, type Events, OPEN, WebSocketConnection } from "./connection.ts";
import { CloseEvent, ErrorEvent, MessageEvent, OpenEvent, SocketEventTarget } from "./events.ts";
import type { WebSocketSettings } from "./settings.ts";

type Data = string | ArrayBufferLike | ArrayBufferView | Blob;

/** The connection behind a socket of ours. */
export let connectionOf: (socket: object) => WebSocketConnection | undefined;
/** Whether messages given to it wait for a Blob before them. */
export let waitsForBlob: (socket: object) => boolean;

export class ServerWebSocket extends SocketEventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  readonly #connection: WebSocketConnection;
  readonly #protocol: string;
  #binaryType: "blob" | "arraybuffer" = "arraybuffer";
  /** Bytes that were given to `send` when it was too late to send them: the standard counts them for ever. */
  #lateBytes = 0;
  /** Blobs are read before they are sent, and what comes behind them waits. */
  #queue: Promise<void> | undefined;
  #queued = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  /** Use `upgradeWebSocket`. @internal */
  constructor(settings: WebSocketSettings, idleTimeout: number, protocol: string, compression?: Compression) {
    super();
    this.#protocol = protocol;
    this.#connection = new WebSocketConnection(settings, idleTimeout, new Told(this), compression);
  }

  static {
    waitsForBlob = (socket) => #queue in socket && socket.#queue !== undefined;
    connectionOf = (socket) => (#connection in socket ? socket.#connection : undefined);
  }

  get url(): string {
    return "";
  }
  get readyState(): number {
    return this.#connection.state;
  }
  get bufferedAmount(): number {
    return this.#connection.buffered + this.#queued + this.#lateBytes;
  }
  get extensions(): string {
    return this.#connection.compression?.agreement.text ?? "";
  }
  get protocol(): string {
    return this.#protocol;
  }
  get binaryType(): "blob" | "arraybuffer" {
    return this.#binaryType;
  }
  set binaryType(type: "blob" | "arraybuffer") {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  get onopen(): unknown {
    return this.attribute("open");
  }
  set onopen(callback: unknown) {
    this.setAttribute("open", callback);
  }
  get onmessage(): unknown {
    return this.attribute("message");
  }
  set onmessage(callback: unknown) {
    this.setAttribute("message", callback);
  }
  get onclose(): unknown {
    return this.attribute("close");
  }
  set onclose(callback: unknown) {
    this.setAttribute("close", callback);
  }
  get onerror(): unknown {
    return this.attribute("error");
  }
  set onerror(callback: unknown) {
    this.setAttribute("error", callback);
  }

  /** Sends a message, and does not wait: `bufferedAmount` says what waits, `drained` until when. */
  send(data: Data): void {
    const connection = this.#connection;
    if (connection.state === CONNECTING) throw new DOMException("'readyState' not OPEN", "InvalidStateError");
    if (data instanceof Blob) return this.#sendBlob(data);
    const message = toMessage(data);
    if (connection.state !== OPEN) {
      this.#lateBytes += typeof message === "string" ? Buffer.byteLength(message) : message.length;
      return;
    }
    if (this.#queue === undefined) return connection.send(message);
    this.#behind(typeof message === "string" ? message : message.slice(), message.length);
  }

  /** Resolves when nothing waits to be sent; rejects when the socket has ended before. */
  drained(): Promise<void> {
    if (this.#connection.buffered + this.#queued === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** `send` that waits, as a write of a connection does: for whoever sends faster than the client reads. */
  async write(data: Data): Promise<void> {
    this.send(data);
    await this.drained();
  }

  /** Begins the closing handshake; the "close" event tells of its end. */
  close(code?: number, reason: string = ""): void {
    if (code !== undefined) {
      const number = clampShort(code);
      // A server may say more than the standard lets a page say: that it goes away, that it failed (RFC 6455, 7.4.1).
      if (!mayBeSent(number)) {
        throw new DOMException(`The close code ${number} may not be sent`, "InvalidAccessError");
      }
      code = number;
    }
    const text = String(reason);
    if (Buffer.byteLength(text) > 123)
      throw new DOMException("The close reason may not be longer than 123 bytes", "SyntaxError");
    // RFC 6455, 5.5.1: a reason stands behind a code.
    const status = code ?? (text === "" ? NO_STATUS : NORMAL);
    const queue = this.#queue;
    if (queue === undefined) this.#connection.close(status, text);
    else void queue.then(() => this.#connection.close(status, text));
  }

  #sendBlob(blob: Blob): void {
    if (this.#connection.state === OPEN) this.#behind(blob.bytes(), blob.size);
    else this.#lateBytes += blob.size;
  }

  /** Sends what is there, or will be, behind all that was given before. */
  #behind(data: string | Uint8Array | Promise<Uint8Array>, size: number): void {
    this.#queued += size;
    const before = this.#queue ?? Promise.resolve();
    const queue = before.then(async () => {
      try {
        this.#connection.send(await data);
      } catch (error) {
        this.#connection.abort(error instanceof Error ? error : new Error(String(error)));
      }
      this.#queued -= size;
      if (this.#queue === queue) {
        this.#queue = undefined;
        this.tellDrained();
      }
    });
    this.#queue = queue;
  }

  [INSPECT](depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    const { readyState, protocol, extensions, bufferedAmount, binaryType } = this;
    const shown = { readyState, protocol, extensions, bufferedAmount, binaryType };
    return describe("WebSocket", shown, depth, options, inspect);
  }

  /** @internal */
  tellMessage(data: string | Uint8Array<ArrayBuffer>): void {
    let given: unknown = data;
    if (typeof data !== "string") given = this.#binaryType === "blob" ? new Blob([data]) : bufferOf(data);
    this.dispatchEvent(new MessageEvent(given, monotonicNow()));
  }

  /** @internal */
  tellDrained(): void {
    if (this.#drained === undefined || this.#connection.buffered + this.#queued > 0) return;
    this.#drained.resolve();
    this.#drained = undefined;
  }

  /** @internal */
  tellClosed(code: number, reason: string, clean: boolean, error: Error | undefined): void {
    if (this.#drained !== undefined) {
      this.#drained.promise.catch(() => {});
      this.#drained.reject(error ?? new DOMException("the WebSocket was closed", "AbortError"));
      this.#drained = undefined;
    }
    if (error !== undefined) this.dispatchEvent(new ErrorEvent(error, monotonicNow()));
    this.dispatchEvent(new CloseEvent(code, reason, clean, monotonicNow()));
  }
}

Object.defineProperty(ServerWebSocket, "name", { value: "WebSocket" });
Object.defineProperty(ServerWebSocket.prototype, Symbol.toStringTag, { value: "WebSocket", configurable: true });
for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  Object.defineProperty(ServerWebSocket.prototype, name, { value, enumerable: true });
}

/** From the connection to the events of its socket. */
class Told implements Events {
  readonly #socket: ServerWebSocket;
  constructor(socket: ServerWebSocket) {
    this.#socket = socket;
  }
  opened(): void {
    this.#socket.dispatchEvent(new OpenEvent("open", monotonicNow()));
  }
  message(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.tellMessage(data);
  }
  drained(): void {
    this.#socket.tellDrained();
  }
  closed(code: number, reason: string, clean: boolean, error: Error | undefined): void {
    this.#socket.tellClosed(code, reason, clean, error);
  }
}

/** What `send` takes but Blobs. */
export function toMessage(data: unknown): string | Uint8Array {
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  return String(data);
}

function bufferOf(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
}

/** Web IDL's [Clamp] unsigned short. */
function clampShort(value: unknown): number {
  const number = Math.round(Number(value));
  return Number.isNaN(number) ? 0 : Math.min(0xffff, Math.max(0, number));
}

/**
 * `WebSocketStream` (https://github.com/ricea/websocketstream-explainer, and in Deno) from the server's side: messages as
 * two streams, with back-pressure both ways.
 */
import { mayBeSent, NO_STATUS, NORMAL } from "./close-codes.ts";
import type { Compression } from "./compression.ts";
import { type Events, WebSocketConnection } from "./connection.ts";
import type { WebSocketSettings } from "./settings.ts";
import { toMessage } from "./socket.ts";
import { type UpgradeWebSocketOptions, upgrade } from "./upgrade.ts";

type Chunk = string | Uint8Array<ArrayBuffer>;

/** What `opened` gives. */
export interface OpenedWebSocket {
  readonly readable: ReadableStream<Chunk>;
  readonly writable: WritableStream<string | ArrayBufferLike | ArrayBufferView>;
  readonly protocol: string;
  readonly extensions: string;
}

/** How it ends, or ended; `code` is Deno's name for `closeCode`. */
export interface WebSocketCloseInfo {
  closeCode?: number;
  code?: number;
  reason?: string;
}

/** Why a stream broke. */
export class WebSocketError extends DOMException {
  readonly closeCode: number | null;
  readonly reason: string;
  constructor(message: string, { closeCode, reason = "" }: WebSocketCloseInfo = {}) {
    super(message, "WebSocketError");
    this.closeCode = closeCode ?? null;
    this.reason = reason;
  }
}

/** Messages that may lie unread before the client has to wait. */
const UNREAD = 16;

export class ServerWebSocketStream {
  readonly url = "";
  readonly opened: Promise<OpenedWebSocket>;
  /** Resolves after a closing handshake; rejects with a WebSocketError where there was none. */
  readonly closed: Promise<WebSocketCloseInfo>;
  readonly #connection: WebSocketConnection;
  readonly #protocol: string;
  readonly #opening = Promise.withResolvers<OpenedWebSocket>();
  readonly #closing = Promise.withResolvers<WebSocketCloseInfo>();
  #reader: ReadableStreamDefaultController<Chunk> | undefined;
  #writer: WritableStreamDefaultController | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  /** Use `upgradeWebSocketStream`. @internal */
  constructor(settings: WebSocketSettings, idleTimeout: number, protocol: string, compression?: Compression) {
    this.#protocol = protocol;
    this.#connection = new WebSocketConnection(settings, idleTimeout, this.#events(), compression);
    this.opened = this.#opening.promise;
    this.closed = this.#closing.promise;
    // Nobody has to look at both.
    this.opened.catch(() => {});
    this.closed.catch(() => {});
  }

  /** @internal */
  static connectionOf(stream: ServerWebSocketStream): WebSocketConnection {
    return stream.#connection;
  }

  /** Begins the closing handshake. */
  close({ closeCode, code = closeCode, reason = "" }: WebSocketCloseInfo = {}): void {
    if (code !== undefined && !mayBeSent(code)) {
      throw new DOMException(`The close code ${code} may not be sent`, "InvalidAccessError");
    }
    if (Buffer.byteLength(reason) > 123) {
      throw new DOMException("The close reason may not be longer than 123 bytes", "SyntaxError");
    }
    this.#connection.close(code ?? (reason === "" ? NO_STATUS : NORMAL), reason);
  }

  #events(): Events {
    return {
      opened: () => this.#opened(),
      message: (data) => this.#message(data),
      drained: () => this.#allSent(),
      closed: (code, reason, clean, error) => this.#ended(code, reason, clean, error),
    };
  }

  #opened(): void {
    const connection = this.#connection;
    const readable = new ReadableStream<Chunk>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => connection.hold(false),
        cancel: () => {
          this.#reader = undefined;
          this.close();
        },
      },
      { highWaterMark: UNREAD },
    );
    const writable = new WritableStream<string | ArrayBufferLike | ArrayBufferView>({
      start: (controller) => {
        this.#writer = controller;
      },
      write: (chunk) => {
        connection.send(toMessage(chunk));
        if (connection.buffered > 0) return (this.#drained ??= Promise.withResolvers()).promise;
      },
      close: async () => {
        this.#writer = undefined;
        this.close();
        await this.closed;
      },
      abort: () => {
        this.#writer = undefined;
        this.close();
      },
    });
    const extensions = connection.compression?.agreement.text ?? "";
    this.#opening.resolve({ readable, writable, protocol: this.#protocol, extensions });
  }

  #message(data: Chunk): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    reader.enqueue(data);
    if ((reader.desiredSize ?? 0) <= 0) this.#connection.hold(true);
  }

  #allSent(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #ended(code: number, reason: string, clean: boolean, error: Error | undefined): void {
    const why = new WebSocketError(error?.message ?? "the WebSocket was closed", { closeCode: code, reason });
    this.#opening.reject(why);
    if (clean) {
      this.#closing.resolve({ closeCode: code, code, reason });
      this.#reader?.close();
    } else {
      this.#closing.reject(why);
      this.#reader?.error(why);
    }
    this.#writer?.error(why);
    this.#reader = undefined;
    this.#writer = undefined;
    this.#drained?.reject(why);
    this.#drained = undefined;
  }
}

export interface WebSocketStreamUpgrade {
  /** To be returned by the handler. */
  response: Response;
  socket: ServerWebSocketStream;
}

/**
 * Answers a request for a WebSocket, whose messages are two streams.
 *
 * ```ts
 * import { serve, upgradeWebSocketStream } from "slipway";
 * await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
 *   const { socket, response } = upgradeWebSocketStream(request);
 *   socket.opened.then(({ readable, writable }) => readable.pipeTo(writable)).catch(() => {});
 *   return response;
 * });
 * ```
 */
export function upgradeWebSocketStream(
  request: Request,
  options: UpgradeWebSocketOptions = {},
): WebSocketStreamUpgrade {
  return upgrade(request, options, ({ settings, idle, protocol, compression }) => {
    const stream = new ServerWebSocketStream(settings, idle, protocol, compression);
    return [stream, ServerWebSocketStream.connectionOf(stream)];
  });
}

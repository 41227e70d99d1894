/** From a request to a WebSocket: `Deno.upgradeWebSocket`, and the same for a `WebSocketStream`. */
import { incomingOf, switchingProtocols } from "../fetch/mod.ts";
import { isUpgradable, promise } from "../http/upgrade.ts";
import { Http } from "../runtime/errors.ts";
import { Compression } from "./compression.ts";
import type { WebSocketConnection } from "./connection.ts";
import { webSocketCounters } from "./counters.ts";
import { HandshakeError, shake } from "./handshake.ts";
import { type WebSocketSettings, webSocketSettings } from "./settings.ts";
import { connectionOf, ServerWebSocket } from "./socket.ts";

export interface UpgradeWebSocketOptions {
  /** One of the protocols that the client offers. */
  protocol?: string;
  /**
   * Seconds without a word from the client, its answers to pings included, after which it is gone: half of that before
   * it is asked. 0: it may be silent for ever. @default {120} what `wsIdleTimeout` says
   */
  idleTimeout?: number;
}

/** A WebSocket, with what a server needs besides: to wait for clients that read slowly. */
export interface UpgradedWebSocket extends WebSocket {
  /** `send`, and waits until nothing is left to be sent. Rejects when the socket ends before. */
  write(data: string | ArrayBufferLike | ArrayBufferView | Blob): Promise<void>;
  /** Waits until nothing is left to be sent. */
  drained(): Promise<void>;
}

export interface WebSocketUpgrade {
  /** To be returned by the handler. */
  response: Response;
  /** It opens when that has left. */
  socket: UpgradedWebSocket;
}

/**
 * Answers a request for a WebSocket.
 *
 * ```ts
 * import { serve, upgradeWebSocket } from "slipway";
 * await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
 *   const { socket, response } = upgradeWebSocket(request);
 *   socket.onmessage = (event) => socket.send(event.data);
 *   return response;
 * });
 * ```
 */
export function upgradeWebSocket(request: Request, options: UpgradeWebSocketOptions = {}): WebSocketUpgrade {
  return upgrade(request, options, ({ settings, idle, protocol, compression }) => {
    const socket = new ServerWebSocket(settings, idle, protocol, compression);
    const connection = connectionOf(socket);
    if (connection === undefined) throw new Error("a socket without a connection");
    return [socket as unknown as UpgradedWebSocket, connection];
  });
}

/** What is known of a connection before it is one. */
export interface Agreed {
  readonly settings: WebSocketSettings;
  /** Milliseconds; 0 for none. */
  readonly idle: number;
  readonly protocol: string;
  readonly compression: Compression | undefined;
}

/** One request is one connection. */
const upgraded = new WeakSet<object>();

/** Reads the request, makes the socket and the answer that stands for it. @internal */
export function upgrade<S>(
  request: Request,
  options: UpgradeWebSocketOptions,
  make: (agreed: Agreed) => [S, WebSocketConnection],
): { response: Response; socket: S } {
  const settings = webSocketSettings();
  const incoming = incomingOf(request);
  const { fields, protocol, agreement } = shake(request.method, request.headers, {
    protocol: options?.protocol,
    tunnel: isUpgradable(incoming) && incoming.tunnel,
    compression: settings.compression,
    windows: (bytes) => webSocketCounters.memory + bytes <= settings.memory,
  });
  if (!isUpgradable(incoming)) throw new TypeError("upgradeWebSocket takes the request that the handler was given");
  if (upgraded.has(incoming)) throw new Http("Already upgraded");
  const fault = incoming.upgradeFault();
  if (fault !== undefined) throw new HandshakeError(fault);
  const idle = options?.idleTimeout === undefined ? settings.idleTimeout : Number(options.idleTimeout) * 1000;
  const compression = agreement && new Compression(agreement);
  const [socket, connection] = make({
    settings,
    idle: Number.isFinite(idle) && idle > 0 ? idle : 0,
    protocol,
    compression,
  });
  const response = switchingProtocols(fields);
  upgraded.add(incoming);
  promise(response, { request: incoming, successor: connection });
  // Answered with something else, or not at all.
  incoming.completed.then(
    () => connection.refused(new Error("the request was answered with something else than the upgrade's response")),
    (reason: unknown) => connection.refused(reason),
  );
  return { response, socket };
}

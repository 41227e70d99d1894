/** Servers whose every request becomes a WebSocket, and clients that are not ours. */
import { WebSocket as WsClient } from "ws";
import type { ServeOptions } from "../../../src/http/mod.ts";
import {
  setWebSocketSettings,
  type UpgradedWebSocket,
  type UpgradeWebSocketOptions,
  upgradeWebSocket,
  type WebSocketSettings,
  webSocketSettings,
} from "../../../src/websocket/mod.ts";
import { start, type TestServer } from "../../http/support/server.ts";

export { eventually, logged, start, turns } from "../../http/support/server.ts";

/** Serves with `opened` called for each socket. */
export function sockets(
  opened: (socket: UpgradedWebSocket) => void,
  options: UpgradeWebSocketOptions = {},
  serveOptions: ServeOptions = {},
): TestServer {
  return start((request) => {
    const { socket, response } = upgradeWebSocket(request, options);
    opened(socket);
    return response;
  }, serveOptions);
}

/** Sends back what comes. */
export function echo(socket: WebSocket): void {
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
}

/** Settings for sockets that open until it is disposed of. */
export function withSettings(settings: Partial<WebSocketSettings>): Disposable {
  const before = webSocketSettings();
  setWebSocketSettings({ ...before, ...settings });
  return { [Symbol.dispose]: () => setWebSocketSettings(before) };
}

/** How the socket ended. */
export interface End {
  code: number;
  reason: string;
  clean: boolean;
  error: string | undefined;
}

export function ending(socket: WebSocket): Promise<End> {
  let error: string | undefined;
  return new Promise((resolve) => {
    socket.addEventListener("error", (event) => {
      error = (event as ErrorEvent).message;
    });
    socket.addEventListener("close", ({ code, reason, wasClean }) => {
      resolve({ code, reason, clean: wasClean, error });
    });
  });
}

/** Clients that others wrote: Node's own, which is undici's, and npm's ws. */
export const clients: Readonly<Record<string, new (url: string, protocols?: string[]) => WebSocket>> = {
  undici: WebSocket,
  ws: WsClient as unknown as new (url: string, protocols?: string[]) => WebSocket,
};

export function opening(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("it did not open")), { once: true });
  });
}

/** What comes, in order; asked for one by one. */
export function messages(socket: WebSocket): () => Promise<unknown> {
  const came: unknown[] = [];
  const asked: ((data: unknown) => void)[] = [];
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    const next = asked.shift();
    if (next === undefined) came.push(data);
    else next(data);
  });
  return () =>
    new Promise((resolve) => {
      if (came.length > 0) resolve(came.shift());
      else asked.push(resolve);
    });
}

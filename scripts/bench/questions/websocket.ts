// Messages of a WebSocket that come back: 64 sockets, one message of 64 bytes on the way on each.
import { clientQuestion } from "../client-question.ts";

declare const Deno: { upgradeWebSocket(request: Request): { socket: WebSocket; response: Response } };
/** Bun's server, as it passes itself to its handler. */
interface BunServer {
  upgrade(request: Request): boolean;
}

export default clientQuestion({
  name: "websocket",
  title: "WebSocket messages of 64 bytes that come back, 64 sockets",
  handlers: {
    fetch: (request) => {
      if (request.headers.get("upgrade") !== "websocket") return new Response("Hello, world!");
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    },
    bun: ((request: Request, server: BunServer) =>
      server.upgrade(request) ? undefined : new Response("Hello, world!")) as (request: Request) => Response,
    bunOptions: "websocket: { message: (socket, data) => void socket.send(data) }, ",
    // Node has no WebSocket server of its own.
    node: (_request, response) => response.end(),
    c: null,
  },
  client: "websocket",
  counted: "message",
  peers: ["slipway", "slipway-epoll", "deno", "bun"],
});

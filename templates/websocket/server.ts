// A chat that people open in a browser: the page at /, and a WebSocket at /chat.
import { broadcast, upgradeWebSocket } from "slipway";
import page from "./page.html" with { type: "text" };
import { Room } from "./room.ts";

// One frame for everybody, however many they are.
const room = new Room<WebSocket>(broadcast);

export default {
  // A message may be this large; more closes the socket with code 1009.
  wsMaxMessageBytes: "4KiB",

  fetch(request: Request): Response {
    const url = new URL(request.url);
    if (url.pathname === "/") {
      return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
    }
    if (url.pathname !== "/chat") return new Response("not found\n", { status: 404 });
    // Any page may open a WebSocket to any server: only our own may talk here. Programs send no Origin.
    const origin = request.headers.get("origin");
    if (origin !== null && URL.parse(origin)?.host !== url.host)
      return new Response("not from there\n", { status: 403 });
    const { socket, response } = upgradeWebSocket(request);
    socket.onmessage = ({ data }) => room.hear(socket, data);
    socket.onclose = () => room.leave(socket);
    return response;
  },
};

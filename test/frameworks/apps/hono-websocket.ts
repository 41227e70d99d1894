// WebSockets as Hono's adapter for Deno makes them.
import { Hono } from "hono";
import { upgradeWebSocket } from "hono/deno";

const app = new Hono();
app.get(
  "/ws",
  upgradeWebSocket(() => ({
    onOpen(_event, socket) {
      socket.send("welcome");
    },
    onMessage({ data }, socket) {
      if (data === "end") socket.close(4000, "as asked");
      else socket.send(`echo ${data}`);
    },
  })),
);
export default app;

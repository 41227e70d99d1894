// Server-sent events: 64 clients, each of whom gets one every 10 ms. A response
// has 50 of them and then ends, and its client asks for the next.
import { loadQuestion } from "../load-question.ts";

declare const event: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "events",
  title: "server-sent events, one every 10 ms to each of 64 clients",
  handlers: {
    // 64 bytes, so that bytes of body count events, whoever joins or cuts them on the way.
    prelude: 'const event = new TextEncoder().encode("data: " + "a".repeat(56) + "\\n\\n");',
    fetch: () => {
      let left = 50;
      let timer: ReturnType<typeof setInterval>;
      const body = new ReadableStream({
        start(controller) {
          timer = setInterval(() => {
            try {
              controller.enqueue(event);
              if (--left > 0) return;
              controller.close();
            } catch {
              // The client has left, and the stream knows it before cancel() was called.
            }
            clearInterval(timer);
          }, 10);
        },
        cancel: () => clearInterval(timer),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
    node: (_request, response) => {
      let left = 50;
      response.setHeader("content-type", "text/event-stream");
      const timer = setInterval(() => {
        response.write(event);
        if (--left > 0) return;
        clearInterval(timer);
        response.end();
      }, 10);
      response.on("close", () => clearInterval(timer));
    },
    c: null,
    go: "events",
  },
  request: "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
  counted: { name: "event", count: (result) => result.body / 64 },
  against: ["node", "deno", "go"],
});

// The constant answer as a stream of one piece: what a ReadableStream costs.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";

declare const bytes: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "stream",
  title: "a ReadableStream of one small piece, 64 connections",
  handlers: {
    prelude: 'const bytes = new TextEncoder().encode("Hello, world!");',
    fetch: () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(bytes);
            controller.close();
          },
        }),
      ),
    node: (_request, response) => {
      response.write(bytes);
      response.end();
    },
    c: null,
  },
  request: SMALL_REQUEST,
  against: ["node", "deno", "bun"],
});

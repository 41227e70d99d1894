// A stream of many small pieces that are all there at once: what a piece costs.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";

declare const piece: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "chunked",
  title: "a stream of 256 pieces of 64 bytes, asked for one by one, 64 connections",
  handlers: {
    prelude: "const piece = new Uint8Array(64).fill(97);",
    fetch: () => {
      let left = 256;
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(piece);
            if (--left === 0) controller.close();
          },
        }),
      );
    },
    node: (_request, response) => {
      for (let i = 0; i < 256; i++) response.write(piece);
      response.end();
    },
    c: null,
    go: "chunked",
  },
  request: SMALL_REQUEST,
  counted: { name: "piece", count: (result) => result.body / 64 },
  against: ["node", "deno", "go"],
});

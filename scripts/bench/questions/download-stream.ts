// 64 MiB made on the way: a stream of 1,024 pieces of 64 KiB, asked for one by one.
import { loadQuestion, mebibytes, SMALL_REQUEST } from "../load-question.ts";

declare const piece: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "download-stream",
  title: "64 MiB down from a ReadableStream of 64 KiB pieces, 4 connections",
  handlers: {
    prelude: "const piece = new Uint8Array(64 * 2 ** 10).fill(97);",
    fetch: () => {
      let left = 1024;
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
      let left = 1024;
      const more = () => {
        while (left > 0) {
          left--;
          if (!response.write(piece)) {
            response.once("drain", more);
            return;
          }
        }
        response.end();
      };
      more();
    },
    c: null,
    go: "download-stream",
  },
  request: SMALL_REQUEST,
  connections: 4,
  counted: mebibytes,
  compareRate: true,
  peak: true,
  against: ["deno", "go"],
});

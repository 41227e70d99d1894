// 64 MiB from a Blob in memory.
import { loadQuestion, mebibytes, SMALL_REQUEST } from "../load-question.ts";

declare const blob: Blob;

export default loadQuestion({
  name: "download-blob",
  title: "64 MiB down from a Blob, 4 connections",
  handlers: {
    prelude: "const blob = new Blob([new Uint8Array(64 * 2 ** 20).fill(97)]);",
    fetch: () => new Response(blob),
    node: async (_request, response) => {
      for await (const chunk of blob.stream()) {
        if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end();
    },
    c: "download",
    go: "download",
  },
  request: SMALL_REQUEST,
  connections: 4,
  counted: mebibytes,
  compareRate: true,
  peak: true,
  against: ["deno", "go"],
});

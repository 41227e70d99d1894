// 64 MiB from memory, again and again over four connections.
import { loadQuestion, mebibytes, SMALL_REQUEST } from "../load-question.ts";

declare const large: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "download",
  title: "64 MiB down from a Uint8Array, 4 connections",
  handlers: {
    prelude: "const large = new Uint8Array(64 * 2 ** 20).fill(97);",
    fetch: () => new Response(large),
    node: (_request, response) => {
      response.end(large);
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

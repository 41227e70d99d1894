// The constant answer as bytes instead of a string.
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import plaintext from "./plaintext.ts";

declare const bytes: Uint8Array<ArrayBuffer>;

export default loadQuestion({
  name: "bytes",
  title: "a constant Uint8Array of 13 bytes, 64 connections",
  handlers: {
    prelude: 'const bytes = new TextEncoder().encode("Hello, world!");',
    fetch: () => new Response(bytes),
    node: (_request, response) => {
      response.end(bytes);
    },
    c: plaintext.handlers.c,
    go: "bytes",
  },
  request: SMALL_REQUEST,
});

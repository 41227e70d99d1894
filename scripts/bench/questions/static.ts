// A small file from disk (the page cache, that is), opened anew for each request,
// in the way that each runtime's documentation shows.
import type { createReadStream as CreateReadStream } from "node:fs";
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import type { Handlers } from "../question.ts";
import { withFile } from "../resources.ts";

declare const file: string;
declare const createReadStream: typeof CreateReadStream;
declare const Deno: { open(path: string): Promise<{ readable: ReadableStream<Uint8Array<ArrayBuffer>> }> };
declare const Bun: { file(path: string): Blob };

/** Asked with a large file as well, by download-file.ts. */
export const fileHandlers: Handlers = {
  prelude: 'import { createReadStream } from "node:fs";\nconst file = process.env.BENCH_FILE;',
  fetch: async () => {
    const { readable } = await Deno.open(file);
    return new Response(readable, { headers: { "content-type": "application/octet-stream" } });
  },
  bun: () => new Response(Bun.file(file), { headers: { "content-type": "application/octet-stream" } }),
  node: (_request, response) => {
    response.setHeader("content-type", "application/octet-stream");
    createReadStream(file).pipe(response);
  },
  c: "file",
  go: "file",
};

export default loadQuestion({
  name: "static",
  title: "a file of 16 KiB from disk, 64 connections",
  handlers: fileHandlers,
  request: SMALL_REQUEST,
  prepare: withFile(16_384),
  compareRate: true,
  against: ["deno", "go"],
});

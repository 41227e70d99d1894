// Handlers that read a small file whole before they answer.
import type { readFile as ReadFile } from "node:fs/promises";
import { loadQuestion, SMALL_REQUEST } from "../load-question.ts";
import { withFile } from "../resources.ts";

declare const file: string;
declare const readFile: typeof ReadFile;

export default loadQuestion({
  name: "files",
  title: "a handler that awaits a file of 4 KiB, 64 connections",
  handlers: {
    prelude: 'import { readFile } from "node:fs/promises";\nconst file = process.env.BENCH_FILE;',
    fetch: async () => new Response(await readFile(file)),
    node: async (_request, response) => {
      response.end(await readFile(file));
    },
    c: null,
    go: "files",
  },
  request: SMALL_REQUEST,
  prepare: withFile(4096),
  compareRate: true,
  against: ["deno", "go"],
});

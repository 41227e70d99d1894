// 64 MiB from disk (the page cache, that is).
import { loadQuestion, mebibytes, SMALL_REQUEST } from "../load-question.ts";
import { withFile } from "../resources.ts";
import { fileHandlers } from "./static.ts";

export default loadQuestion({
  name: "download-file",
  title: "64 MiB down from a file, 4 connections",
  handlers: fileHandlers,
  request: SMALL_REQUEST,
  prepare: withFile(64 * 2 ** 20),
  connections: 4,
  counted: mebibytes,
  compareRate: true,
  peak: true,
  against: ["deno", "go"],
});

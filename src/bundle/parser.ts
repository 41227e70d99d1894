/**
 * Where the parser is: the npm package when we run from source; inside our own executable a part of its own, so that no
 * other verb waits for half a megabyte of source to be read.
 */
import { Script } from "node:vm";
import { zstdDecompressSync } from "node:zlib";
import type { parse } from "@babel/parser";
import { ownPayload } from "./executable.ts";

/** The part's name; scripts/build.ts writes it: a packed script whose value is a function of `exports`. */
export const PARSER_PART = "parser";

export async function loadParser(): Promise<typeof parse> {
  const payload = ownPayload();
  if (!payload?.has(PARSER_PART)) return (await import("@babel/parser")).parse;
  const exports = {} as { parse: typeof parse };
  const script = new Script(zstdDecompressSync(payload.read(PARSER_PART)).toString(), { filename: "@babel/parser" });
  script.runInThisContext()(exports);
  return exports.parse;
}

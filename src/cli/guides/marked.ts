/**
 * Where the reader of Markdown is: the npm package when we run from source; inside our own executable a part of its own,
 * as the parser of `check` is (src/check/code/parser.ts).
 */
import { Script } from "node:vm";
import { zstdDecompressSync } from "node:zlib";
import type { Token } from "marked";
import { ownPayload } from "../../bundle/executable.ts";

/** The part's name; scripts/build.ts writes it: a packed script whose value is a function of `exports`. */
export const MARKED_PART = "marked";

type Lexer = (text: string) => Token[];

export async function loadMarked(): Promise<Lexer> {
  const payload = ownPayload();
  if (!payload?.has(MARKED_PART)) return (await import("marked")).lexer;
  const exports = {} as { lexer: Lexer };
  new Script(zstdDecompressSync(payload.read(MARKED_PART)).toString(), { filename: "marked" }).runInThisContext()(
    exports,
  );
  return exports.lexer;
}

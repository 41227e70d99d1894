/** `slipway help limits`: the guides of docs/, in the terminal. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { paintFor } from "../../terminal/colors.ts";
import { Failure } from "../errors.ts";
import { type Guide, guidesFolder } from "./list.ts";
import { renderMarkdown } from "./markdown.ts";
import { loadMarked } from "./marked.ts";
import { page } from "./pager.ts";

/** Readable lines are no longer than this, whatever the terminal is. */
const WIDEST = 100;

export async function showGuide(guide: Guide): Promise<void> {
  const lexer = await loadMarked();
  const width = Math.min(WIDEST, process.stdout.columns || 80);
  page(renderMarkdown(lexer(guideText(guide)), { width, paint: paintFor(1) }));
}

export function guideText({ file }: Guide): string {
  const path = join(guidesFolder, file);
  if (!existsSync(path)) throw new Failure(`the guide is missing at ${path}: install slipway again`);
  return readFileSync(path, "utf8");
}

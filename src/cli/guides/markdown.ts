/**
 * Markdown as text for a terminal: wrapped to its width, tables made to fit, code as it is. What the guides in docs/
 * use is known here; anything else stays as it was written.
 */
import type { Token, Tokens } from "marked";
import type { Paint } from "../../terminal/colors.ts";
import { tableLines } from "./table.ts";
import { wrap } from "./wrap.ts";

export interface Render {
  readonly width: number;
  readonly paint: Paint;
}

/** The whole document, a line a line. */
export function renderMarkdown(tokens: readonly Token[], { width, paint }: Render): string {
  return `${blocks(tokens, width, paint).join("\n").trim()}\n`;
}

function blocks(tokens: readonly Token[], width: number, paint: Paint): string[] {
  const lines: string[] = [];
  for (const token of tokens) {
    if (token.type === "space") continue;
    const block = blockLines(token, width, paint);
    if (block.length === 0) continue;
    if (lines.length > 0) lines.push("");
    lines.push(...block);
  }
  return lines;
}

function blockLines(token: Token, width: number, paint: Paint): string[] {
  switch (token.type) {
    case "heading":
      return heading(token as Tokens.Heading, width, paint);
    case "paragraph":
      return wrap(inline((token as Tokens.Paragraph).tokens, paint), width);
    case "code":
      // Never wrapped: it is to be copied.
      return (token as Tokens.Code).text.split("\n").map((line) => (line === "" ? "" : `    ${paint("cyan", line)}`));
    case "list":
      return list(token as Tokens.List, width, paint);
    case "table": {
      const { header, rows } = token as Tokens.Table;
      const cells = (row: readonly Tokens.TableCell[]) => row.map(({ tokens }) => inline(tokens, paint));
      return tableLines(
        cells(header).map((text) => paint("bold", text)),
        rows.map(cells),
        width,
        paint,
      );
    }
    case "blockquote":
      return blocks((token as Tokens.Blockquote).tokens, width - 2, paint).map(
        (line) => `${paint("dim", "│")} ${line}`,
      );
    case "hr":
      return [paint("dim", "─".repeat(width))];
    case "html":
      return [];
    default:
      return wrap(token.raw.trim(), width);
  }
}

function heading({ depth, tokens }: Tokens.Heading, width: number, paint: Paint): string[] {
  const text = inline(tokens, (_style, plain) => plain);
  const lines = wrap(depth === 1 ? text.toUpperCase() : text, width);
  return lines.map((line) => paint("bold", depth < 3 ? paint("yellow", line) : line));
}

function list({ items, ordered, start, loose }: Tokens.List, width: number, paint: Paint): string[] {
  return items.flatMap((item, i) => {
    const mark = ordered ? `${Number(start || 1) + i}. ` : "- ";
    const inner = item.tokens.flatMap((token, at) => {
      const own = token.type === "text" ? wrap(inline(innerOf(token), paint), width - mark.length) : undefined;
      const lines = own ?? blockLines(token, width - mark.length, paint);
      return at > 0 && token.type !== "list" && token.type !== "space" ? ["", ...lines] : lines;
    });
    const gap = loose && i > 0 ? [""] : [];
    const indent = " ".repeat(mark.length);
    return [...gap, ...inner.map((line, at) => (at === 0 ? mark + line : line === "" ? "" : indent + line))];
  });
}

function innerOf(token: Token): readonly Token[] {
  return (token as Tokens.Text).tokens ?? [token];
}

function inline(tokens: readonly Token[] | undefined, paint: Paint): string {
  return (tokens ?? []).map((token) => inlineText(token, paint)).join("");
}

function inlineText(token: Token, paint: Paint): string {
  switch (token.type) {
    case "codespan":
      return paint("cyan", spaced((token as Tokens.Codespan).text));
    case "strong":
      return paint("bold", inline((token as Tokens.Strong).tokens, paint));
    case "em":
      return paint("underline", inline((token as Tokens.Em).tokens, paint));
    case "del":
      return inline((token as Tokens.Del).tokens, paint);
    case "link":
      return link(token as Tokens.Link, paint);
    case "image":
      return `[${(token as Tokens.Image).text}]`;
    case "br":
      return " ";
    case "escape":
    case "text":
      return decoded((token as Tokens.Text).text).replace(/\s+/g, " ");
    default:
      return token.raw.replace(/\s+/g, " ");
  }
}

/** Other guides are named by what shows them; addresses stand behind their text. */
function link({ href, tokens }: Tokens.Link, paint: Paint): string {
  const text = inline(tokens, paint);
  return /^https?:/.test(href) && href !== text ? `${text} (${href})` : text;
}

/** In code only spaces that were written break a line, and marked leaves its text as it is. */
function spaced(text: string): string {
  return text.replace(/\s+/g, " ");
}

function decoded(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'", nbsp: " " };
  return text.replace(/&(#39|[a-z]+);/g, (whole, name: string) => named[name] ?? whole);
}

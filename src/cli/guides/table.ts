/** A table that fits: what is narrow stays so, and the wide columns share the rest and wrap. */
import type { Paint } from "../../terminal/colors.ts";
import { widthOf, wrap } from "./wrap.ts";

const GAP = 2;
/** Narrower columns are no help to anybody. */
const LEAST = 6;

export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: Paint,
): string[] {
  const all = [header, ...rows];
  const wants = header.map((_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? "")), 1));
  const words = header.map((_, i) => Math.max(...all.map((row) => longestWord(row[i] ?? "")), 1));
  const widths = fit(wants, words, width - GAP * (header.length - 1));
  // Too many columns for so few: one below the other.
  if (widths.reduce((sum, one) => sum + one + GAP, -GAP) > width) return stacked(header, rows, width);
  const row = (cells: readonly string[]): string[] => {
    const columns = widths.map((wide, i) => wrap(cells[i] ?? "", wide, true));
    const height = Math.max(...columns.map((lines) => lines.length));
    return Array.from({ length: height }, (_, at) =>
      columns
        .map((lines, i) => padded(lines[at] ?? "", widths[i]))
        .join(" ".repeat(GAP))
        .trimEnd(),
    );
  };
  const rule = paint("dim", widths.map((wide) => "─".repeat(wide)).join(" ".repeat(GAP)));
  const body = rows.map(row);
  // Rows of several lines need something between them.
  const tall = body.some((lines) => lines.length > 1);
  const titled = header.some((text) => widthOf(text) > 0);
  return [
    ...(titled ? row(header) : []),
    rule,
    ...body.flatMap((lines, i) => (tall && i > 0 ? ["", ...lines] : lines)),
  ];
}

function stacked(header: readonly string[], rows: readonly (readonly string[])[], width: number): string[] {
  return rows.flatMap((cells, i) => {
    const lines = cells.flatMap((cell, at) => {
      const name = header[at] ?? "";
      return widthOf(cell) === 0 ? [] : wrap(widthOf(name) === 0 ? cell : `${name}: ${cell}`, width, true);
    });
    return i > 0 ? ["", ...lines] : lines;
  });
}

/** As much as each wants, or, from the widest, so much less that all fit: no word is cut as long as that is enough. */
function fit(wants: readonly number[], words: readonly number[], width: number): number[] {
  const widths = wants.slice();
  let over = widths.reduce((sum, one) => sum + one, 0) - width;
  for (const least of [words, words.map((one) => Math.min(one, LEAST))]) {
    for (; over > 0; over--) {
      const spare = widths.map((wide, i) => (wide > least[i] ? wide : 0));
      const most = Math.max(...spare);
      if (most === 0) break;
      widths[spare.indexOf(most)]--;
    }
  }
  return widths;
}

function longestWord(text: string): number {
  return Math.max(...text.split(" ").map(widthOf));
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

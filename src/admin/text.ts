/** Names and messages that programs make, fit to be shown: no control characters, no end of line, not long. */

/** At most `most` characters (UTF-16 units), whatever may not be shown replaced by its escape. */
export function shown(text: string, most = 100): string {
  // C0 and C1 controls, line and paragraph separators, and what reorders the text around it (Trojan Source).
  const escaped = text
    .slice(0, most + 1)
    .toWellFormed()
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return escaped.length > most ? `${escaped.slice(0, most - 1).toWellFormed()}…` : escaped;
}

/** Rows in columns, two spaces between; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
  }
  const line = (row: readonly (string | number)[]): string =>
    row
      .map((cell, i) => (typeof cell === "number" ? String(cell).padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

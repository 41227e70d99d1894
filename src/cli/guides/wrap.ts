/** Lines of text with colours in it: how wide it is, and where it breaks. */

const ESCAPES = /\x1b\[[\d;]*m/g;

/** Columns of a terminal: colours take none. */
export function widthOf(text: string): number {
  return [...text.replace(ESCAPES, "")].length;
}

/**
 * Breaks at spaces. A word that is wider than a line stands alone on it, or is cut where `cut` says so. A colour that goes
 * on over a break is ended before and begun again behind it, so that lines can stand beside others.
 */
export function wrap(text: string, width: number, cut = false): string[] {
  const lines: string[] = [];
  let line = "";
  let used = 0;
  const end = () => {
    lines.push(line);
    line = "";
    used = 0;
  };
  for (const word of text.split(" ").flatMap((one) => (cut ? pieces(one, width) : [one]))) {
    const wide = widthOf(word);
    if (used > 0 && used + 1 + wide > width) end();
    line += used > 0 ? ` ${word}` : word;
    used += (used > 0 ? 1 : 0) + wide;
  }
  end();
  return carried(lines);
}

function pieces(word: string, width: number): string[] {
  if (widthOf(word) <= width) return [word];
  const out: string[] = [];
  let piece = "";
  let used = 0;
  for (const [part] of word.matchAll(/\x1b\[[\d;]*m|./gsu)) {
    if (!part.startsWith("\x1b")) {
      if (used === width) {
        out.push(piece);
        piece = "";
        used = 0;
      }
      used++;
    }
    piece += part;
  }
  return [...out, piece];
}

function carried(lines: readonly string[]): string[] {
  let open: string[] = [];
  return lines.map((line) => {
    const before = open.join("");
    for (const [code] of line.matchAll(ESCAPES)) {
      if (/\[(?:22|24|39)m/.test(code)) open = open.filter((one) => endOf(one) !== code);
      else open.push(code);
    }
    return before + line + [...open].reverse().map(endOf).join("");
  });
}

function endOf(code: string): string {
  const number = Number(/\d+/.exec(code)?.[0]);
  if (number < 3) return "\x1b[22m";
  return number === 4 ? "\x1b[24m" : "\x1b[39m";
}

/**
 * Whether what is written may have colours, and the few there are. `NO_COLOR` (no-color.org) takes them away and
 * `FORCE_COLOR` (force-color.org) has them also in a pipe; where both are set, the latter holds, as in Node.
 */
const CODES = { bold: 1, dim: 2, underline: 4, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 };

export type Style = keyof typeof CODES;
/** Text in a style, or the text as it is. */
export type Paint = (style: Style, text: string) => string;

export function painter(on: boolean): Paint {
  return (style, text) =>
    on
      ? `\x1b[${CODES[style]}m${text}\x1b[${style === "bold" || style === "dim" ? 22 : style === "underline" ? 24 : 39}m`
      : text;
}

/** For a descriptor: 1 is standard output, 2 standard error. */
export function paintFor(fd: 1 | 2): Paint {
  return painter(mayColor(isTerminal(fd)));
}

export function mayColor(terminal: boolean, env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = env;
  if (force !== undefined) return force !== "0" && force !== "false";
  return !no && terminal && term !== "dumb";
}

export function isTerminal(fd: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(fd);
}

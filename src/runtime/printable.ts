/**
 * Text of strangers, made fit for a terminal and for a log of lines: what moves the cursor, colours, hides, reverses or
 * ends a line is shown as an escape instead of done. (CWE-117 and CWE-150; "Trojan Source", CVE-2021-42574.)
 */

/** Nearly all text is this, and a look is all it costs. */
const PLAIN = /^[\n\t\x20-\x7e]*$/;
/**
 * Controls (C0, DEL, and C1 with its one-byte CSI), what is invisible or turns the direction of writing (Cf: bidi
 * controls, zero width, tags), halves of surrogate pairs, and the line ends that only Unicode knows.
 *
 * In a function, so that only who has such text pays for reading the classes: 0.2 ms.
 */
const withEscapes = (text: string, show: (character: string) => string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, show);
/** A line that begins like this cannot pass for an entry of its own. */
const NEXT_LINE = /\n(?=[^\s])/g;

/** Lines stay lines, and all but the first are indented: nobody can write what looks like an entry of the log. */
export function printable(text: string): string {
  if (!PLAIN.test(text)) text = withEscapes(text, (c) => (c === "\n" || c === "\t" ? c : escaped(c)));
  return text.includes("\n") ? text.replace(NEXT_LINE, "\n  ") : text;
}

/** The same on one line. */
export function printableLine(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : withEscapes(text, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x0a) return "\\n";
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

/** What one message, and one field of it, may take of a disk. */
export const MOST_MESSAGE = 8192;
export const MOST_FIELD = 1024;

/** Text of at most `most` characters: the rest is counted. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  // Not through the middle of a pair.
  const end = most - (isHighSurrogate(text.charCodeAt(most - 1)) ? 1 : 0);
  return `${text.slice(0, end)}… (${text.length - end} more)`;
}

function isHighSurrogate(code: number): boolean {
  return (code & 0xfc00) === 0xd800;
}

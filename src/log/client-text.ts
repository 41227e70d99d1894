/**
 * Bytes that a client chose, as text of bounded length: UTF-8 if they are that, else a character a byte, which keeps them
 * all (RFC 9110, 5.5: such bytes mean nothing). Not yet fit for a terminal.
 */
import { isUtf8 } from "node:buffer";

const ASCII = /^[\0-\x7f]*$/;

/** `latin1`: one character a byte, as heads are kept. */
export function clientText(latin1: string, most: number): string {
  if (latin1.length <= most) return ASCII.test(latin1) ? latin1 : decoded(latin1);
  let cut = latin1.slice(0, most);
  if (!ASCII.test(cut)) cut = decoded(withoutPart(cut));
  return `${cut}… (${latin1.length - most} more)`;
}

function decoded(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : latin1;
}

/** Without the sequence that the cut may have parted (RFC 3629, 3). */
function withoutPart(latin1: string): string {
  let end = latin1.length;
  while (end > 0 && latin1.length - end < 3 && (latin1.charCodeAt(end - 1) & 0xc0) === 0x80) end--;
  return end > 0 && latin1.charCodeAt(end - 1) >= 0xc0 ? latin1.slice(0, end - 1) : latin1;
}

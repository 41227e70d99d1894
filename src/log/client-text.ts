/** Bytes that a client chose, as text: what it meant if that is UTF-8, of bounded length. Not yet fit for a terminal. */
import { isUtf8 } from "node:buffer";

const ASCII = /^[\0-\x7f]*$/;

/** `latin1`: one character a byte, as heads are kept. Bytes that are no UTF-8 are written `\xff`. */
export function clientText(latin1: string, most: number): string {
  if (latin1.length <= most) return ASCII.test(latin1) ? latin1 : decoded(latin1);
  let cut = latin1.slice(0, most);
  if (!ASCII.test(cut)) cut = decoded(withoutPart(cut));
  return `${cut}… (${latin1.length - most} more)`;
}

function decoded(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return latin1.replace(/[\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}

/** Without the sequence that the cut may have parted (RFC 3629, 3). */
function withoutPart(latin1: string): string {
  let end = latin1.length;
  while (end > 0 && latin1.length - end < 3 && (latin1.charCodeAt(end - 1) & 0xc0) === 0x80) end--;
  return end > 0 && latin1.charCodeAt(end - 1) >= 0xc0 ? latin1.slice(0, end - 1) : latin1;
}

/**
 * The chunked transfer coding of requests (RFC 9112, 7.1), decoded as it arrives and as strictly as the head:
 * sizes are hex digits and nothing else, every line ends in CRLF, extensions are bounded and dropped, trailers bounded.
 */

/** Bytes of extensions in one body, and of its trailer section: far more than any client sends. */
const MAX_EXTENSIONS = 16 * 1024;
export const MAX_TRAILERS = 16 * 1024;

/*
 * SIZE → (extensions) → SIZE_LF → DATA → DATA_CR → DATA_LF → SIZE …, and after a chunk of size 0:
 * TRAILER_START → (TRAILER_NAME → TRAILER_VALUE → TRAILER_LF → TRAILER_START)* → END_LF → DONE
 *
 * Extensions, each `;name`, `;name=token` or `;name="quoted"`, with spaces around the parts (RFC 9112, 7.1.1):
 * NAME_START → NAME → (NAME_SPACE) → VALUE_START → VALUE, or QUOTED ⇄ ESCAPED → QUOTED_END → (VALUE_SPACE) → SIZE_LF
 */
const SIZE = 0;
const NAME_START = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const TRAILER_NAME = 7;
const TRAILER_VALUE = 8;
const TRAILER_LF = 9;
const END_LF = 10;
const DONE = 11;
const NAME = 12;
const NAME_SPACE = 13;
const VALUE_START = 14;
const VALUE = 15;
const QUOTED = 16;
const ESCAPED = 17;
const QUOTED_END = 18;
const VALUE_SPACE = 19;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;

export class ChunkedDecoder {
  #state = SIZE;
  #remaining = 0;
  #digits = 0;
  #extensions = 0;
  /** The trailer section as it came, without its CRs. */
  #section: Buffer | undefined;
  #trailers = 0;

  /** True when the last chunk and the trailer section have been read. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /** The fields of the trailer section, once it has been read: name, value, name, value. */
  get trailers(): readonly string[] {
    const fields: string[] = [];
    if (this.#section === undefined) return fields;
    for (const line of this.#section.toString("latin1", 0, this.#trailers).split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields.push(line.slice(0, colon), line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, ""));
    }
    return fields;
  }

  /**
   * Decodes `bytes[start, end)`, giving payload to `take`; `take` returns false to stop there. Returns the index
   * behind what was used, or -1 when the coding is malformed.
   */
  decode(bytes: Uint8Array, start: number, end: number, take: (from: number, to: number) => boolean): number {
    let i = start;
    while (i < end && this.#state !== DONE) {
      if (this.#state === DATA) {
        const to = Math.min(end, i + this.#remaining);
        this.#remaining -= to - i;
        if (this.#remaining === 0) this.#state = DATA_CR;
        const goOn = take(i, to);
        i = to;
        if (!goOn) return i;
      } else if (!this.#byte(bytes[i++])) return -1;
    }
    return i;
  }

  #byte(c: number): boolean {
    switch (this.#state) {
      case SIZE: {
        const digit = hexDigit(c);
        if (digit >= 0) {
          // 13 hex digits stay below 2^53.
          if (++this.#digits > 13) return false;
          this.#remaining = this.#remaining * 16 + digit;
          return true;
        }
        if (this.#digits === 0) return false;
        if (c === CR) this.#state = SIZE_LF;
        else if (c === SEMICOLON) this.#state = NAME_START;
        else return false;
        return true;
      }
      case SIZE_LF:
        this.#digits = 0;
        this.#state = this.#remaining > 0 ? DATA : TRAILER_START;
        return c === LF;
      case DATA_CR:
        this.#state = DATA_LF;
        return c === CR;
      case DATA_LF:
        this.#state = SIZE;
        return c === LF;
      case TRAILER_START:
        if (c === CR) {
          this.#state = END_LF;
          return true;
        }
        this.#state = TRAILER_NAME;
        return isToken(c) && this.#keep(c);
      case TRAILER_NAME:
        if (c === 0x3a) this.#state = TRAILER_VALUE;
        else if (!isToken(c)) return false;
        return this.#keep(c);
      case TRAILER_VALUE:
        if (c === CR) this.#state = TRAILER_LF;
        else return isText(c) && this.#keep(c);
        return true;
      case TRAILER_LF:
        this.#state = TRAILER_START;
        return c === LF && this.#keep(c);
      case END_LF:
        this.#state = DONE;
        return c === LF;
      default:
        return ++this.#extensions <= MAX_EXTENSIONS && this.#extension(c);
    }
  }

  #keep(c: number): boolean {
    const at = this.#trailers++;
    if (at === MAX_TRAILERS) return false;
    if (this.#section === undefined || at === this.#section.length) {
      const larger = Buffer.alloc(Math.max(256, at * 2));
      this.#section?.copy(larger);
      this.#section = larger;
    }
    this.#section[at] = c;
    return true;
  }

  /** What an extension says is ignored, as it must be; that it is one is not taken on trust. */
  #extension(c: number): boolean {
    const space = c === 0x20 || c === 0x09;
    switch (this.#state) {
      case QUOTED:
        if (c === QUOTE) this.#state = QUOTED_END;
        else if (c === 0x5c) this.#state = ESCAPED;
        return isText(c);
      case ESCAPED:
        this.#state = QUOTED;
        return isText(c);
      case NAME_START:
        if (space) return true;
        this.#state = NAME;
        return isToken(c);
      case VALUE_START:
        if (space) return true;
        this.#state = c === QUOTE ? QUOTED : VALUE;
        return c === QUOTE || isToken(c);
      case NAME:
      case NAME_SPACE:
        if (c === 0x3d) {
          this.#state = VALUE_START;
          return true;
        }
        if (this.#state === NAME && isToken(c)) return true;
        break;
      default: // VALUE, QUOTED_END, VALUE_SPACE
        if (this.#state === VALUE && isToken(c)) return true;
    }
    // Behind a name or a value. Spaces are followed by more; at the end of the line they belong to nothing.
    const named = this.#state === NAME || this.#state === NAME_SPACE;
    if (c === SEMICOLON) this.#state = NAME_START;
    else if (space) this.#state = named ? NAME_SPACE : VALUE_SPACE;
    else if (c === CR && this.#state !== NAME_SPACE && this.#state !== VALUE_SPACE) this.#state = SIZE_LF;
    else return false;
    return true;
  }
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** VCHAR, obs-text, SP and HTAB. */
function isText(c: number): boolean {
  return (c >= 0x20 && c !== 0x7f) || c === 0x09;
}

/** RFC 9110, 5.6.2: tchar. */
function isToken(c: number): boolean {
  return (
    (c >= 0x30 && c <= 0x39) ||
    ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a && c < 0x7b) ||
    (c > 0x20 && c < 0x7f && "!#$%&'*+-.^_`|~".includes(String.fromCharCode(c)))
  );
}

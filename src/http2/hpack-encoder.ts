/**
 * What we say in HPACK (RFC 7541): literals that nobody keeps, with names from the static table, Huffman-coded where
 * that is shorter. No table of ours stands at the client's end. So the head of a response is the same bytes on every
 * connection, made once for each shape (`response-block.ts`), and a connection that is idle holds none of it. A head that
 * was said before costs 0.2 µs so, where nghttp2 by FFI takes 2.6; the price is some 40 bytes more on the wire each time.
 */
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { staticNames, staticTable } from "./static-table.ts";

/** Writes a field, returns the index behind it. The caller knows that there is room: `fieldRoom`. */
export function writeField(out: Uint8Array, at: number, name: string, value: string): number {
  const index = staticNames.get(name) ?? 0;
  if (index > 0) {
    const exact = exactIndex(index, name, value);
    if (exact > 0) {
      out[at] = 0x80 | exact;
      return at + 1;
    }
    // Never indexed (6.2.3): whoever passes it on must not put a secret where it can be guessed.
    at = writeInteger(out, at, SECRET.has(name) ? 0x10 : 0, 4, index);
  } else {
    out[at++] = 0;
    at = writeString(out, at, name);
  }
  return writeString(out, at, value);
}

/** The most that `writeField` needs. */
export function fieldRoom(name: string, value: string): number {
  return name.length + value.length + 16;
}

const SECRET = new Set(["set-cookie", "authorization", "proxy-authorization", "cookie"]);

/** The index of a name and its value, 0 where there is none. Entries of one name stand together. */
function exactIndex(first: number, name: string, value: string): number {
  if (value === "") return 0;
  for (let index = first; index < staticTable.length && staticTable[index].name === name; index++) {
    if (staticTable[index].value === value) return index;
  }
  return 0;
}

/** 5.1: behind `bits`, what stands before the prefix. */
export function writeInteger(out: Uint8Array, at: number, bits: number, prefix: number, value: number): number {
  const mask = (1 << prefix) - 1;
  if (value < mask) {
    out[at] = bits | value;
    return at + 1;
  }
  out[at++] = bits | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    out[at++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  out[at] = rest;
  return at + 1;
}

/** 5.2: latin1. */
export function writeString(out: Uint8Array, at: number, text: string): number {
  const coded = huffmanLength(text);
  if (coded < text.length) return encodeHuffman(text, out, writeInteger(out, at, 0x80, 7, coded));
  at = writeInteger(out, at, 0, 7, text.length);
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

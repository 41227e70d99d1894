/**
 * The decoder of HPACK (RFC 7541), one a connection, with the table that its peer fills. Fields are objects that the
 * table keeps, so that one that comes as an index costs nothing but the look. A browser's head of 14 fields that repeats
 * is 1.1 µs, with every check and the string that a Request is made of; nghttp2, which the host has and FFI reaches, takes
 * 1.7 µs for its 15 calls alone, before a string is made of what they point at.
 *
 * Whatever fails here breaks the connection (RFC 9113, 4.3): the tables of the two ends differ from then on.
 */
import { latin1 } from "../http/exchange.ts";
import { Field } from "./fields.ts";
import { decodeHuffman } from "./huffman.ts";
import { STATIC_SIZE, staticTable } from "./static-table.ts";

/** SETTINGS_HEADER_TABLE_SIZE: the protocol's own, which is never said. */
export const TABLE_SIZE = 4096;
/** Lengths and indices beyond this are nobody's (RFC 7541, 5.1). */
const MOST = 1 << 24;

/** Who is told of each field. */
export interface FieldSink {
  field(field: Field): void;
}

/** Where Huffman strings are decoded: one thread decodes one at a time. */
let scratch = new Uint8Array(4096);

const NO_FIELDS: Field[] = [];

export class HpackDecoder {
  /** A ring: the newest entry stands at `#newest`, older ones behind it. Made with the first entry. */
  #ring: (Field | undefined)[] = NO_FIELDS;
  #newest = 0;
  #count = 0;
  #size = 0;
  #limit = TABLE_SIZE;
  /** Of the integer or string that was read last. */
  #at = 0;

  /** Bytes in the table, as RFC 7541 counts them. */
  get size(): number {
    return this.#size;
  }

  /** Decodes a whole block, `bytes[start, end)`. False: it is malformed, and the connection lost. */
  decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): boolean {
    let at = start;
    let first = true;
    while (at < end) {
      const byte = bytes[at];
      if (byte >= 0x80) {
        // 6.1: indexed. One byte holds what most requests repeat.
        let index = byte & 0x7f;
        if (index === 0x7f) {
          index = this.#integer(bytes, at, end, 7);
          if (index < 0) return false;
          at = this.#at;
        } else at++;
        const field = this.#lookup(index);
        if (field === undefined) return false;
        sink.field(field);
      } else if (byte >= 0x40) {
        // 6.2.1: literal, to be kept.
        const field = this.#literal(bytes, at, end, 6);
        if (field === undefined) return false;
        at = this.#at;
        this.#add(field);
        sink.field(field);
      } else if (byte >= 0x20) {
        // 6.3: a new size, which only the beginning of a block may say (4.2).
        const size = this.#integer(bytes, at, end, 5);
        if (size < 0 || size > TABLE_SIZE || !first) return false;
        at = this.#at;
        this.#limit = size;
        this.#evict(size);
        continue;
      } else {
        // 6.2.2 and 6.2.3: literal, not to be kept.
        const field = this.#literal(bytes, at, end, 4);
        if (field === undefined) return false;
        at = this.#at;
        sink.field(field);
      }
      first = false;
    }
    return true;
  }

  #lookup(index: number): Field | undefined {
    if (index <= STATIC_SIZE) return index === 0 ? undefined : staticTable[index];
    const back = index - STATIC_SIZE - 1;
    if (back >= this.#count) return undefined;
    return this.#ring[(this.#newest + back) & (this.#ring.length - 1)];
  }

  #literal(bytes: Uint8Array, at: number, end: number, prefix: number): Field | undefined {
    const index = this.#integer(bytes, at, end, prefix);
    if (index < 0) return undefined;
    if (index > 0) {
      const named = this.#lookup(index);
      if (named === undefined) return undefined;
      const value = this.#string(bytes, this.#at, end);
      return value === undefined ? undefined : new Field(named.name, value, named.nameKind);
    }
    const name = this.#string(bytes, this.#at, end);
    if (name === undefined) return undefined;
    const value = this.#string(bytes, this.#at, end);
    return value === undefined ? undefined : new Field(name, value);
  }

  /** 5.1. -1 when it does not end within the block, or is larger than anything that is meant. */
  #integer(bytes: Uint8Array, at: number, end: number, prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = bytes[at++] & mask;
    if (value === mask) {
      for (let shift = 0; ; shift += 7) {
        if (at >= end || shift > 21) return -1;
        const byte = bytes[at++];
        value += (byte & 0x7f) << shift;
        if (value > MOST) return -1;
        if (byte < 0x80) break;
      }
    }
    this.#at = at;
    return value;
  }

  /** 5.2. */
  #string(bytes: Uint8Array, at: number, end: number): string | undefined {
    if (at >= end) return undefined;
    const coded = bytes[at] >= 0x80;
    const length = this.#integer(bytes, at, end, 7);
    const from = this.#at;
    if (length < 0 || length > end - from) return undefined;
    this.#at = from + length;
    if (!coded) return latin1(bytes, from, this.#at);
    // The shortest code has 5 bits.
    const most = Math.ceil((length * 8) / 5);
    if (scratch.length < most) scratch = new Uint8Array(most);
    const decoded = decodeHuffman(bytes, from, this.#at, scratch);
    const text = decoded < 0 ? undefined : latin1(scratch, 0, decoded);
    if (scratch.length > KEPT) scratch = new Uint8Array(4096);
    return text;
  }

  /** 4.4. A field that is larger than the table empties it. */
  #add(field: Field): void {
    const { size } = field;
    this.#evict(this.#limit - size);
    if (size > this.#limit) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest - 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#size += size;
  }

  #evict(to: number): void {
    while (this.#size > to && this.#count > 0) {
      const oldest = (this.#newest + --this.#count) & (this.#ring.length - 1);
      this.#size -= this.#ring[oldest]?.size ?? 0;
      this.#ring[oldest] = undefined;
    }
  }

  #grow(): void {
    const before = this.#ring;
    const ring: (Field | undefined)[] = new Array(Math.max(8, before.length * 2)).fill(undefined);
    for (let i = 0; i < this.#count; i++) ring[i] = before[(this.#newest + i) & (before.length - 1)];
    this.#ring = ring;
    this.#newest = 0;
  }
}

/** A single string of a hostile block must not keep a megabyte for ever. */
const KEPT = 64 * 1024;

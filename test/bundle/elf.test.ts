/** Our base as an ELF file: what kernels and the dynamic loader want of it, older ones and those with large pages too. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { elfEnd, stripElf, withHeadersInFront } from "../../src/bundle/elf.ts";
import { slipwayBinary } from "../support/binary.ts";

const test = suite("ELF");
let base: Buffer;
test.before(async () => {
  base = readFileSync(join(await slipwayBinary(), "../base"));
});

interface Header {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly alignment: number;
}

function headersOf(file: Buffer): Header[] {
  const at = Number(file.readBigUInt64LE(32));
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const header = file.subarray(at + index * 56);
    const word = (where: number) => Number(header.readBigUInt64LE(where));
    return {
      ...{ type: header.readUInt32LE(0), offset: word(8), address: word(16) },
      ...{ fileSize: word(32), memorySize: word(40), alignment: word(48) },
    };
  });
}

test("the program headers are where Linux before 5.18 says they are", () => {
  const loaded = headersOf(base).filter(({ type }) => type === 1);
  // Such kernels: AT_PHDR = address of the first segment - its offset + e_phoff, whatever PT_PHDR says.
  const table = Number(base.readBigUInt64LE(32));
  assert.is(table, 64);
  assert.is(loaded[0].offset, 0);
  assert.ok(loaded[0].fileSize > table + 56 * base.readUInt16LE(56));
  assert.equal(
    headersOf(base).filter(({ type }) => type === 6),
    [],
    "a PT_PHDR would have to agree",
  );
});

test("segments can be mapped by their alignment, and do not share a page", () => {
  const loaded = headersOf(base).filter(({ type }) => type === 1);
  let end = 0;
  for (const { offset, address, memorySize, alignment } of loaded) {
    assert.is(offset % alignment, address % alignment);
    assert.ok(Math.floor(address / alignment) * alignment >= end);
    end = Math.ceil((address + memorySize) / alignment) * alignment;
  }
});

test("the interpreter's name was moved whole, and there is room for one segment more", () => {
  const [interpreter] = headersOf(base).filter(({ type }) => type === 3);
  const { offset, fileSize, address } = interpreter;
  assert.match(base.toString("latin1", offset, offset + fileSize), /^\/lib[\w./-]*\/ld-linux[\w.-]+\0$/);
  assert.is(address - offset, headersOf(base)[1].address);
  assert.ok(64 + 56 * (base.readUInt16LE(56) + 1) <= offset);
});

test("the end is found without the whole file, and a damaged header leads nowhere", () => {
  const read = (position: number, length: number) => base.subarray(position, position + length);
  assert.is(elfEnd(base.subarray(0, 64), read), base.length);
  assert.throws(() => elfEnd(Buffer.alloc(64), read), /not a 64-bit little-endian ELF file/);
  const wide = Buffer.from(base.subarray(0, 64));
  wide[4] = 1;
  assert.throws(() => elfEnd(wide, read), /not a 64-bit/);
});

test("headers that are in front stay; those of position-independent programs are not touched", () => {
  assert.is(withHeadersInFront(base), base);
  const pie = Buffer.from(base.subarray(0, 4096));
  pie.writeUInt16LE(3, 16);
  pie.writeBigUInt64LE(1024n, 32);
  assert.throws(() => withHeadersInFront(pie), /position-independent/);
  assert.throws(() => stripElf(Buffer.from("#!/bin/sh\n".padEnd(80))), /not a 64-bit/);
});

test.run();

/** Mach-O files: stripped, signed, read; made by hand, as nothing here is a Mac. test/targets has Node's own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { alignmentOf, assembled, stripped } from "../../src/bundle/assemble.ts";
import { contentEnd } from "../../src/bundle/content-end.ts";
import { encodePayload, hasPayload, openPayload } from "../../src/bundle/executable.ts";
import { MachO, withoutSignature } from "../../src/bundle/macho.ts";
import { sha256 } from "../../src/bundle/pack.ts";
import { checkSignature } from "../support/macho-signature.ts";
import { temporaryFolder } from "../support/process.ts";

const test = suite("Mach-O");
const folder = temporaryFolder();
const ARM64 = 0x0100000c;
const X64 = 0x01000007;

interface Made {
  readonly cpu?: number;
  /** Bytes between load commands and the first section. */
  readonly room?: number;
  readonly signed?: boolean;
}

/** Symbols: two local ones, one exported, one imported, which the only indirect entry names. */
function machO({ cpu = ARM64, room = 64, signed = false }: Made = {}): Buffer {
  const names = Buffer.from(" \0_local\0_inner\0_main\0_SSL_new\0\0\0");
  const text = 0x4000;
  const segment = (name: string, at: number, size: number, offset: number, sections: number) => {
    const command = Buffer.alloc(72 + sections * 80);
    command.writeUInt32LE(0x19, 0);
    command.writeUInt32LE(command.length, 4);
    command.write(name, 8, "latin1");
    command.writeBigUInt64LE(BigInt(at), 24);
    command.writeBigUInt64LE(BigInt(Math.ceil(size / 0x4000) * 0x4000), 32);
    command.writeBigUInt64LE(BigInt(offset), 40);
    command.writeBigUInt64LE(BigInt(size), 48);
    command.writeUInt32LE(sections, 64);
    return command;
  };
  const words = (...values: number[]) => {
    const bytes = Buffer.alloc(values.length * 4);
    for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
    return bytes;
  };
  const symbols = text + 32;
  const indirect = symbols + 4 * 16;
  const strings = indirect + 8;
  const end = Math.ceil((strings + names.length) / 16) * 16;
  const first = segment("__TEXT", 0x1_0000_0000, text, 0, 1);
  const dynamic = words(0xb, 80, 0, 2, 2, 1, 3, 1, 0, 0, 0, 0, 0, 0, indirect, 2, 0, 0, 0, 0);
  const commands = [
    first,
    segment("__LINKEDIT", 0x1_0000_4000, end - text + (signed ? 32 : 0), text, 0),
    words(2, 24, symbols, 4, strings, names.length),
    dynamic,
    words(0x26, 16, text, 32),
    ...(signed ? [words(0x1d, 16, end, 32)] : []),
  ];
  const length = commands.reduce((sum, { length }) => sum + length, 0);
  first.writeUInt32LE(32 + length + room, 72 + 48);
  const file = Buffer.alloc(end + (signed ? 32 : 0), 0x2a);
  const header = words(0xfeedfacf, cpu, 0, 2, commands.length, length, 0x85, 0);
  file.fill(0, 0, 32 + length + room);
  Buffer.concat([header, ...commands]).copy(file);
  for (const [index, [name, type]] of [
    [2, 0x0e],
    [9, 0x0e],
    [16, 0x0f],
    [22, 0x01],
  ].entries()) {
    file.fill(0, symbols + index * 16, symbols + index * 16 + 16);
    file.writeUInt32LE(name, symbols + index * 16);
    file[symbols + index * 16 + 4] = type;
  }
  words(3, 1).copy(file, indirect);
  names.copy(file, strings);
  return file;
}

const parts = [{ name: "code", bytes: Buffer.from("the code".repeat(2000)) }];
const payloadFor = (base: Buffer) =>
  encodePayload(base.length, "program", { entry: "server.ts" }, parts, sha256, alignmentOf("macho"));

function signed(base: Buffer): Buffer {
  return Buffer.concat(assembled("macho", Buffer.from(base), payloadFor(base), "shop"));
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

for (const [name, made] of [
  ["arm64", {}],
  ["x64", { cpu: X64 }],
  ["one that had a signature", { signed: true }],
  ["one with room for just the command", { room: 16 }],
] as const) {
  test(`signed: ${name}; a strict checker finds nothing, and the payload is found`, () => {
    const base = stripped(machO(made), "macho");
    const file = signed(base);
    const { problems, identifier, flags } = checkSignature(file);
    assert.equal(problems, []);
    assert.is(identifier, "shop");
    assert.is(flags, 2, "ad hoc");
    const path = written("signed", file);
    assert.is(hasPayload(path), true);
    const payload = openPayload(path);
    assert.is(payload?.read("code").toString(), "the code".repeat(2000));
    assert.is(payload?.baseLength, base.length);
    payload?.close();
  });
}

test("signing again what is signed, as slipway on a Mac does with its own base, gives the same bytes", () => {
  const base = stripped(machO(), "macho");
  const once = signed(base);
  assert.equal(signed(once.subarray(0, base.length)), once);
});

test("no room for the command of a signature", () => {
  const base = stripped(machO({ room: 8 }), "macho");
  assert.throws(() => signed(base), /no room for the command/);
});

test("stripped: local symbols go, others keep their names, and indirect ones find them", () => {
  const file = stripped(machO(), "macho");
  const macho = new MachO(file);
  assert.is(macho.signature, undefined);
  const { symbols, dynamicSymbols } = macho;
  const at = file.readUInt32LE(symbols + 8);
  const strings = file.readUInt32LE(symbols + 16);
  const nameOf = (index: number) => {
    const begin = strings + file.readUInt32LE(at + index * 16);
    return file.toString("latin1", begin, file.indexOf(0, begin));
  };
  assert.is(file.readUInt32LE(symbols + 12), 2);
  assert.equal([nameOf(0), nameOf(1)], ["_main", "_SSL_new"]);
  // ilocalsym, nlocalsym, iextdefsym, nextdefsym, iundefsym, nundefsym
  assert.equal(
    [8, 12, 16, 20, 24, 28].map((where) => file.readUInt32LE(dynamicSymbols + where)),
    [0, 0, 0, 1, 1, 1],
  );
  const indirect = file.readUInt32LE(dynamicSymbols + 56);
  assert.equal([file.readUInt32LE(indirect), file.readUInt32LE(indirect + 4)], [1, 0x80000000]);
  assert.equal(stripped(Buffer.from(file), "macho"), file, "a second time changes nothing");
});

test("without its signature: the command goes, and the segment ends where it began", () => {
  const before = machO({ signed: true });
  const commands = before.readUInt32LE(16);
  const file = withoutSignature(before);
  assert.is(file.readUInt32LE(16), commands - 1);
  const { offset, size } = new MachO(file).segment("__LINKEDIT");
  assert.is(offset + size, file.length);
});

test("a file that was cut short, at each of its last bytes and in its headers, says so", () => {
  const file = signed(stripped(machO(), "macho"));
  for (const length of [file.length - 1, file.length - 17, file.length - 5000, 0x4000, 200, 73]) {
    const path = written("cut", file.subarray(0, length));
    assert.is(hasPayload(path), false, String(length));
    assert.throws(() => openPayload(path), /this executable is damaged/);
  }
});

test("hostile load commands end nothing but the reading", () => {
  const whole = signed(stripped(machO(), "macho"));
  const read = (file: Buffer) => (position: number, length: number) => file.subarray(position, position + length);
  for (const [at, value] of [
    [16, 0xffffffff],
    [20, 0xffffffff],
    [36, 0],
    [36, 4],
    [36, 0xfffffff0],
  ]) {
    const file = Buffer.from(whole);
    file.writeUInt32LE(value, at);
    assert.equal(contentEnd(read(file), file.length), { end: 0, signed: 0 }, `${value} at ${at}`);
  }
  // Every single byte of the headers, turned over: whatever it says, something is answered.
  const { commandsEnd } = new MachO(whole);
  for (let at = 0; at < commandsEnd; at++) {
    const file = Buffer.from(whole);
    file[at] ^= 0xff;
    const { end, signed: length } = contentEnd(read(file), file.length);
    assert.ok(end >= 0 && length >= 0);
  }
});

test.run();

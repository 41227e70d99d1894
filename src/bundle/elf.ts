/** ELF executables, as far as making them smaller needs: elf(5). */

/** Where the last loaded segment ends: what lies behind, symbols and section headers, no loader reads. */
export function loadedLength(file: Buffer): number {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error("not a 64-bit little-endian ELF file");
  const offset = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  let end = 0;
  for (let index = 0; index < file.readUInt16LE(56); index++) {
    const header = offset + index * size;
    end = Math.max(end, Number(file.readBigUInt64LE(header + 8) + file.readBigUInt64LE(header + 32)), header + size);
  }
  return end;
}

/** The same program without symbols and section headers; the symbols that it exports are in a segment and stay. */
export function stripElf(file: Buffer): Buffer {
  const stripped = Buffer.from(file.subarray(0, loadedLength(file)));
  stripped.writeBigUInt64LE(0n, 40); // e_shoff
  stripped.writeUInt16LE(0, 60); // e_shnum
  stripped.writeUInt16LE(0, 62); // e_shstrndx
  return stripped;
}

const PT_LOAD = 1;
const PF_W = 2;
const PAGE = 4096;

/**
 * The program without the whole pages of zeros at the ends of its writable segments: memory beyond what a file holds of
 * a segment is zeros anyway. --build-sea writes all of `.bss`, a third of a megabyte. For files without section headers.
 */
export function withoutZeros(file: Buffer): Buffer {
  let left = file;
  for (let index = 0; index < left.readUInt16LE(56); index++) {
    const headers = programHeaders(left);
    const header = headers[index];
    if (header.readUInt32LE(0) !== PT_LOAD || (header.readUInt32LE(4) & PF_W) === 0) continue;
    const begin = field(header, OFFSET);
    const end = begin + field(header, FILE_SIZE);
    let last = end;
    while (last > begin && left[last - 1] === 0) last--;
    const length = (end - last) & -PAGE;
    if (length === 0) continue;
    const tableAt = Number(left.readBigUInt64LE(32));
    left = Buffer.concat([left.subarray(0, end - length), left.subarray(end)]);
    // Notes and the like inside of the segment lie before its zeros; what lies behind moves by whole pages.
    for (const other of headers) if (field(other, OFFSET) >= end) put(other, OFFSET, field(other, OFFSET) - length);
    put(header, FILE_SIZE, field(header, FILE_SIZE) - length);
    writeHeaders(left, tableAt >= end ? tableAt - length : tableAt, headers);
  }
  return left;
}

function programHeaders(file: Buffer): Buffer[] {
  const at = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) =>
    Buffer.from(file.subarray(at + index * size, at + (index + 1) * size)),
  );
}

/**
 * The program without `length` bytes at `from`, both whole pages inside one segment, which becomes two: addresses stay as
 * they are, and those of the missing bytes lead nowhere. For files without section headers; it takes the bytes over.
 */
export function removeFromElf(file: Buffer, from: number, length: number): Buffer {
  const until = from + length;
  const tableAt = Number(file.readBigUInt64LE(32));
  const headers = programHeaders(file);
  const around = (header: Buffer) =>
    header.readUInt32LE(0) === PT_LOAD &&
    field(header, OFFSET) <= from &&
    field(header, OFFSET) + field(header, FILE_SIZE) >= until;
  const split = headers.findIndex(around);
  if (split < 0) throw new Error("what is to be left out is not inside one segment");
  file.copyWithin(from, until);
  const left = file.subarray(0, file.length - length);
  const moved = (offset: number) => (offset >= until ? offset - length : offset);

  const first = headers[split];
  const second = Buffer.from(first);
  const before = from - field(first, OFFSET);
  const behind = field(first, FILE_SIZE) - before - length;
  for (const header of headers) if (header !== first) put(header, OFFSET, moved(field(header, OFFSET)));
  const address = field(first, ADDRESS) + before + length;
  put(second, OFFSET, from);
  put(second, ADDRESS, address);
  put(second, PHYSICAL, address);
  put(second, FILE_SIZE, behind);
  put(second, MEMORY_SIZE, behind);
  put(first, FILE_SIZE, before);
  put(first, MEMORY_SIZE, before);
  headers.splice(split + 1, 0, second);

  writeHeaders(left, moved(tableAt), headers);
  return left;
}

// Where a program header has what, and PT_PHDR, which describes the table itself.
const OFFSET = 8;
const ADDRESS = 16;
const PHYSICAL = 24;
const FILE_SIZE = 32;
const MEMORY_SIZE = 40;
const PT_PHDR = 6;

function writeHeaders(file: Buffer, at: number, headers: readonly Buffer[]): void {
  const bytes = headers.reduce((sum, header) => sum + header.length, 0);
  const home = headers.find(
    (header) =>
      header.readUInt32LE(0) === PT_LOAD &&
      field(header, OFFSET) <= at &&
      field(header, OFFSET) + field(header, FILE_SIZE) >= at + bytes,
  );
  // Those that --build-sea wrote have a page of their own with room for 23; the original's stand before other things.
  if (home === undefined || at < 4096 || field(home, OFFSET) !== at) throw new Error("no room for another segment");
  for (const header of headers) {
    if (header.readUInt32LE(0) !== PT_PHDR) continue;
    put(header, FILE_SIZE, bytes);
    put(header, MEMORY_SIZE, bytes);
  }
  Buffer.concat([...headers]).copy(file, at);
  file.writeBigUInt64LE(BigInt(at), 32);
  file.writeUInt16LE(headers.length, 56);
}

function field(header: Buffer, at: number): number {
  return Number(header.readBigUInt64LE(at));
}

function put(header: Buffer, at: number, value: number): void {
  header.writeBigUInt64LE(BigInt(value), at);
}

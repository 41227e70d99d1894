/** ELF executables, as far as making them smaller needs: elf(5). */

export function isElf(head: Buffer): boolean {
  return head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46;
}

/** Where the last segment ends: what lies behind, symbols and section headers, no loader reads. */
export function elfEnd(head: Buffer, read: (position: number, length: number) => Buffer): number {
  if (!isElf(head) || head[4] !== 2 || head[5] !== 1) throw new Error("not a 64-bit little-endian ELF file");
  const size = head.readUInt16LE(54);
  const offset = Number(head.readBigUInt64LE(32));
  // --build-sea moves the table to the end.
  const table = read(offset, size * head.readUInt16LE(56));
  let end = offset + table.length;
  for (let at = 0; at < table.length; at += size)
    end = Math.max(end, field(table.subarray(at), OFFSET) + field(table.subarray(at), FILE_SIZE));
  return end;
}

/** The same program without symbols and section headers; the symbols that it exports are in a segment and stay. */
export function stripElf(file: Buffer): Buffer {
  const stripped = Buffer.from(
    file.subarray(
      0,
      elfEnd(file, (position, length) => file.subarray(position, position + length)),
    ),
  );
  stripped.writeBigUInt64LE(0n, 40); // e_shoff
  stripped.writeUInt16LE(0, 60); // e_shnum
  stripped.writeUInt16LE(0, 62); // e_shstrndx
  return stripped;
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_PHDR = 6;
const PF_W = 2;
const ET_EXEC = 2;
const PAGE = 4096;
/** Where linkers write program headers: behind the file's own header. */
const TABLE = 64;

// Where a program header has what.
const OFFSET = 8;
const ADDRESS = 16;
const PHYSICAL = 24;
const FILE_SIZE = 32;
const MEMORY_SIZE = 40;
const ALIGNMENT = 48;

/**
 * What --build-sea wrote, as more kernels can run it; the bytes are taken over.
 *
 * It has its program headers at the file's end, in a segment of their own. Linux before 5.18 tells the dynamic loader
 * another place (AT_PHDR was the address of the file's begin plus e_phoff until commit 0da1d5002745), and that gives up:
 * "Inconsistency detected by ld.so". So they go back behind the file's header, without the table's own segment and
 * PT_PHDR, which only position-independent programs need. Behind them is room for another (removeFromElf): that of the
 * notes of the build id, whose header --build-sea has taken for its own note.
 *
 * Of the segment with our resources, the last, only that note knows the address: it gets one that fits the pages of 16
 * or 64 KB that arm64 has, if the program's other segments do.
 */
export function withHeadersInFront(file: Buffer): Buffer {
  const at = Number(file.readBigUInt64LE(32));
  if (at === TABLE) return file;
  if (file.readUInt16LE(16) !== ET_EXEC) throw new Error("a position-independent program, which is not known");
  const headers = programHeaders(file).filter((header) => {
    const type = header.readUInt32LE(0);
    return type !== PT_PHDR && !(type === PT_LOAD && field(header, OFFSET) === at);
  });
  const interpreter = headers.find((header) => header.readUInt32LE(0) === PT_INTERP);
  if (interpreter === undefined || field(interpreter, OFFSET) > PAGE)
    throw new Error("the begin of the program is not as linkers write it");
  const begin = field(interpreter, OFFSET);
  const name = Buffer.from(file.subarray(begin, begin + field(interpreter, FILE_SIZE)));
  // The interpreter's name moves to the end of what the notes had.
  const by = notesEnd(file, begin + name.length) - name.length - begin;
  file.fill(0, begin, begin + by);
  name.copy(file, begin + by);
  for (const where of [OFFSET, ADDRESS, PHYSICAL]) put(interpreter, where, field(interpreter, where) + by);

  const segments = headers.filter((header) => header.readUInt32LE(0) === PT_LOAD);
  const pages = Math.max(...segments.map((header) => field(header, ALIGNMENT)));
  const resources = segments[segments.length - 1];
  const [offset, address] = [field(resources, OFFSET), field(resources, ADDRESS)];
  const distance = (pages - (address % pages) + (offset % pages)) % pages;
  const end = address + field(resources, MEMORY_SIZE);
  for (const header of headers) {
    if (field(header, ADDRESS) < address || field(header, ADDRESS) >= end) continue;
    for (const where of [ADDRESS, PHYSICAL]) put(header, where, field(header, where) + distance);
  }
  put(resources, ALIGNMENT, pages);
  file.writeBigUInt64LE(BigInt(TABLE), 32);
  writeHeaders(file, headers);
  return file;
}

/** Where the GNU notes end that begin at the next word: each a header of three words, a name and a description. */
function notesEnd(file: Buffer, from: number): number {
  let at = from + (-from & 3);
  while (at < PAGE && file.toString("latin1", at + 12, at + 16) === "GNU\0")
    at += 16 + ((file.readUInt32LE(at + 4) + 3) & ~3);
  return at;
}

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
    // What lies behind moves by whole pages, of the size that its segments are aligned to.
    const length = (end - last) & -Math.max(PAGE, field(header, ALIGNMENT));
    if (length === 0) continue;
    left = Buffer.concat([left.subarray(0, end - length), left.subarray(end)]);
    // Notes and the like inside of the segment lie before its zeros.
    for (const other of headers) if (field(other, OFFSET) >= end) put(other, OFFSET, field(other, OFFSET) - length);
    put(header, FILE_SIZE, field(header, FILE_SIZE) - length);
    writeHeaders(left, headers);
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
  writeHeaders(left, headers);
  return left;
}

/** Behind the file's own header, up to where the first of its contents lies. */
function writeHeaders(file: Buffer, headers: readonly Buffer[]): void {
  const table = Buffer.concat([...headers]);
  const contents = headers.map((header) => field(header, OFFSET)).filter((offset) => offset > TABLE);
  if (Number(file.readBigUInt64LE(32)) !== TABLE || TABLE + table.length > Math.min(...contents))
    throw new Error("no room for another segment");
  table.copy(file, TABLE);
  file.writeUInt16LE(headers.length, 56);
}

function field(header: Buffer, at: number): number {
  return Number(header.readBigUInt64LE(at));
}

function put(header: Buffer, at: number, value: number): void {
  header.writeBigUInt64LE(BigInt(value), at);
}

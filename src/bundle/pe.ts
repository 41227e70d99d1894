/**
 * PE executables, of Windows (PE32+): where their own content ends, their checksum, and without the signature that
 * whoever built them put behind it. "PE Format", learn.microsoft.com.
 *
 * A signature is the certificate table: at the file's end, at a multiple of 8, named by data directory 4. Signing covers
 * all that stands before it, so a payload does.
 */

/** So many bytes of a file's begin hold the headers. */
export const PE_HEAD = 4096;
const CERTIFICATES = 4;

/** Where what is in the headers; throws what is wrong with them. */
interface Headers {
  /** Of the optional header's field CheckSum. */
  readonly checksum: number;
  /** Of data directory 4: the offset of the table in the file, u32, and its size, u32. */
  readonly certificates: number;
  /** Where the last section's bytes end. */
  readonly sectionsEnd: number;
}

export function isPe(head: Buffer): boolean {
  if (head.length < 64 || head.toString("latin1", 0, 2) !== "MZ") return false;
  const at = head.readUInt32LE(60);
  return at + 24 <= head.length && head.readUInt32BE(at) === 0x50450000;
}

function headers(head: Buffer): Headers {
  if (!isPe(head)) throw new Error("not a PE file");
  const pe = head.readUInt32LE(60);
  const optional = pe + 24;
  const sections = optional + head.readUInt16LE(pe + 20);
  const count = head.readUInt16LE(pe + 6);
  if (sections + count * 40 > head.length) throw new Error("its headers are cut off");
  if (head.readUInt16LE(optional) !== 0x20b) throw new Error("not a 64-bit PE file");
  if (head.readUInt32LE(optional + 108) <= CERTIFICATES) throw new Error("it has too few data directories");
  let sectionsEnd = 0;
  for (let at = sections; at < sections + count * 40; at += 40)
    sectionsEnd = Math.max(sectionsEnd, head.readUInt32LE(at + 16) + head.readUInt32LE(at + 20));
  return { checksum: optional + 64, certificates: optional + 112 + CERTIFICATES * 8, sectionsEnd };
}

/** Where a file's signature begins; without one, where its sections end: `signed` is the signature's length. */
export function peEnd(head: Buffer): { readonly end: number; readonly signed: number } {
  const { certificates, sectionsEnd } = headers(head);
  const signed = head.readUInt32LE(certificates + 4);
  return signed > 0 ? { end: head.readUInt32LE(certificates), signed } : { end: sectionsEnd, signed: 0 };
}

/** The file without its signature, to a multiple of 8 so that another can follow. It takes the bytes over. */
export function withoutCertificates(file: Buffer): Buffer {
  const { certificates } = headers(file);
  const offset = file.readUInt32LE(certificates);
  const size = file.readUInt32LE(certificates + 4);
  file.fill(0, certificates, certificates + 8);
  const left = offset > 0 && size > 0 ? file.subarray(0, offset) : file;
  return left.length % 8 === 0 ? left : Buffer.concat([left, Buffer.alloc(8 - (left.length % 8))]);
}

/**
 * Writes the checksum of the file that consists of these pieces, the first of which has the headers: the sum of all its
 * 16-bit words, carries added again, plus its length. Windows checks that of drivers only, tools that of programs.
 */
export function writeChecksum(first: Buffer, rest: readonly Buffer[]): void {
  const { checksum } = headers(first);
  first.writeUInt32LE(0, checksum);
  let sum = 0;
  let length = 0;
  for (const piece of [first, ...rest]) {
    if (length % 2 !== 0) throw new Error("a piece of odd length");
    sum = fold(sum + wordSum(piece));
    length += piece.length;
  }
  first.writeUInt32LE(sum + length, checksum);
}

/** Of words of 32 bits, whose halves are added in the end: that is the same sum, for a quarter of the time. */
function wordSum(bytes: Buffer): number {
  const whole = bytes.length & -4;
  const copied = bytes.byteOffset % 4 !== 0;
  const from = copied ? new Uint8Array(bytes.subarray(0, whole)) : bytes;
  const words = new Uint32Array(from.buffer, from.byteOffset, whole / 4);
  let sum = 0;
  for (let index = 0; index < words.length; ) {
    // So many that their sum is a whole number still: 2^32 × 2^20.
    const end = Math.min(words.length, index + (1 << 20));
    let part = 0;
    while (index < end) part += words[index++];
    sum = fold(sum + part);
  }
  for (let at = whole; at < bytes.length; at += 2) sum += bytes[at] + ((bytes[at + 1] ?? 0) << 8);
  return fold(sum);
}

/** 16 bits, carries added again. */
function fold(sum: number): number {
  let left = sum;
  while (left > 0xffff) left = (left % 0x10000) + Math.floor(left / 0x10000);
  return left;
}

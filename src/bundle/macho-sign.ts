/**
 * Puts a payload into a Mach-O executable and signs it ad hoc, as macOS on arm64 wants of everything that runs: the hash
 * of each page, and nobody's name. <kern/cs_blobs.h>; what has to lie where is what XNU and codesign(1) check.
 *
 *     … | __LINKEDIT: symbols, names, the payload as if it were names | signature
 *
 * Bytes behind the signature would start too, but codesign refuses the file ("main executable failed strict validation"),
 * and nobody could sign it again. So the payload stands before it, and the string table is told to be as long.
 */
import { hash } from "node:crypto";
import { aligned, MachO, setLinkedit } from "./macho.ts";

const LC_CODE_SIGNATURE = 0x1d;
const COMMAND = 16;
/** What a signature, and so a payload before it, begins at a multiple of. */
export const SIGNATURE_ALIGNMENT = 16;

const SUPERBLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
/** Requirements: none. */
const REQUIREMENTS = Buffer.from("fade0c010000000c00000000", "hex");
/** A CMS signature: none. */
const CMS = Buffer.from("fade0b0100000008", "hex");
const CODE_DIRECTORY_HEADER = 88;
const SUPPORTS_EXECSEG = 0x20400;
const CS_ADHOC = 2;
const CS_EXECSEG_MAIN_BINARY = 1n;
const SHA256 = 2;
const HASH = 32;
/** Of hashes: 4,096 on every machine, also where pages in memory are larger. */
const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;
/** Of the slots before the pages' own: requirements, and an Info.plist, which there is none of. */
const SPECIAL_SLOTS = 2;

/** The base without a signature or what came behind, ready to be followed by a payload at a multiple of 16. */
export function unsignedEnd(base: Buffer): number {
  const macho = new MachO(base);
  const { offset, size } = macho.segment("__LINKEDIT");
  return aligned(macho.signature?.offset ?? offset + size, SIGNATURE_ALIGNMENT);
}

/**
 * The signed executable, in pieces, of a base (which it takes over) and the payload for after it, both of lengths that
 * are multiples of 16. The identifier is what the signature calls it.
 */
export function signMachO(base: Buffer, payload: Buffer, identifier: string): Buffer[] {
  if (base.length % SIGNATURE_ALIGNMENT !== 0 || payload.length % SIGNATURE_ALIGNMENT !== 0)
    throw new Error("a payload in a Mach-O file begins and ends at multiples of 16");
  const command = signatureCommand(base);
  const macho = new MachO(base);
  const limit = base.length + payload.length;
  const size = aligned(signatureLength(limit, identifier), SIGNATURE_ALIGNMENT);
  if (limit + size >= 2 ** 32) throw new Error("a signed Mach-O file has to be smaller than 4 GB");

  base.writeUInt32LE(limit, command + 8);
  base.writeUInt32LE(size, command + 12);
  const names = base.readUInt32LE(macho.symbols + 16);
  base.writeUInt32LE(limit - names, macho.symbols + 20);
  const linkedit = macho.segment("__LINKEDIT");
  setLinkedit(base, linkedit.at, limit + size - linkedit.offset, macho.pageSize);
  // From here on the first page, which is hashed, does not change.
  const text = macho.segment("__TEXT");
  const directory = codeDirectory([base, payload], limit, identifier, text);
  return [base, payload, superBlob(directory, size)];
}

/** Where the command is; one is added where there is none, in the room that linkers leave before the first section. */
function signatureCommand(base: Buffer): number {
  const { signature, commandsEnd, firstSection } = new MachO(base);
  if (signature !== undefined) return signature.at;
  if (commandsEnd + COMMAND > firstSection) throw new Error("it has no room for the command of a signature");
  base.writeUInt32LE(LC_CODE_SIGNATURE, commandsEnd);
  base.writeUInt32LE(COMMAND, commandsEnd + 4);
  base.writeUInt32LE(base.readUInt32LE(16) + 1, 16);
  base.writeUInt32LE(base.readUInt32LE(20) + COMMAND, 20);
  return commandsEnd;
}

function directoryLength(limit: number, identifier: string): number {
  const slots = Math.ceil(limit / PAGE) + SPECIAL_SLOTS;
  return CODE_DIRECTORY_HEADER + Buffer.byteLength(identifier) + 1 + slots * HASH;
}

const SUPERBLOB_HEADER = 12 + 3 * 8;

function signatureLength(limit: number, identifier: string): number {
  return SUPERBLOB_HEADER + directoryLength(limit, identifier) + REQUIREMENTS.length + CMS.length;
}

/** CS_CodeDirectory; all of a signature is big-endian. */
function codeDirectory(
  pieces: readonly [Buffer, Buffer],
  limit: number,
  identifier: string,
  text: { readonly offset: number; readonly size: number },
): Buffer {
  const pages = Math.ceil(limit / PAGE);
  const directory = Buffer.alloc(directoryLength(limit, identifier));
  const hashes = directory.length - pages * HASH;
  directory.writeUInt32BE(CODE_DIRECTORY, 0);
  directory.writeUInt32BE(directory.length, 4);
  directory.writeUInt32BE(SUPPORTS_EXECSEG, 8);
  directory.writeUInt32BE(CS_ADHOC, 12);
  directory.writeUInt32BE(hashes, 16);
  directory.writeUInt32BE(CODE_DIRECTORY_HEADER, 20); // where the identifier is
  directory.writeUInt32BE(SPECIAL_SLOTS, 24);
  directory.writeUInt32BE(pages, 28);
  directory.writeUInt32BE(limit, 32);
  directory.set([HASH, SHA256, 0, PAGE_BITS], 36);
  directory.writeBigUInt64BE(BigInt(text.offset), 64);
  directory.writeBigUInt64BE(BigInt(text.size), 72);
  directory.writeBigUInt64BE(CS_EXECSEG_MAIN_BINARY, 80);
  directory.write(identifier, CODE_DIRECTORY_HEADER);
  // Slots are counted backwards from the pages': -1, the Info.plist, stays zero.
  sha256(REQUIREMENTS).copy(directory, hashes - 2 * HASH);
  let slot = hashes;
  for (const page of pagesOf(pieces)) slot += sha256(page).copy(directory, slot);
  return directory;
}

/** Pages of both pieces in a row; the last as short as it is. */
function* pagesOf([base, payload]: readonly [Buffer, Buffer]): Generator<Buffer> {
  const whole = base.length - (base.length % PAGE);
  for (let at = 0; at < whole; at += PAGE) yield base.subarray(at, at + PAGE);
  const taken = whole === base.length ? 0 : PAGE - (base.length - whole);
  if (taken > 0) yield Buffer.concat([base.subarray(whole), payload.subarray(0, taken)]);
  for (let at = taken; at < payload.length; at += PAGE) yield payload.subarray(at, at + PAGE);
}

/** In one call: five times as fast as createHash, for 30,000 pages. */
function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}

function superBlob(directory: Buffer, size: number): Buffer {
  const blob = Buffer.alloc(size);
  const blobs = [
    [0, directory], // CSSLOT_CODEDIRECTORY
    [2, REQUIREMENTS], // CSSLOT_REQUIREMENTS
    [0x10000, CMS], // CSSLOT_SIGNATURESLOT
  ] as const;
  blob.writeUInt32BE(SUPERBLOB, 0);
  blob.writeUInt32BE(blobs.length, 8);
  let at = SUPERBLOB_HEADER;
  for (const [index, [slot, bytes]] of blobs.entries()) {
    blob.writeUInt32BE(slot, 12 + index * 8);
    blob.writeUInt32BE(at, 16 + index * 8);
    at += bytes.copy(blob, at);
  }
  blob.writeUInt32BE(at, 4);
  return blob;
}

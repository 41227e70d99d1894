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

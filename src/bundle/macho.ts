/**
 * Mach-O executables, of macOS: thin, 64-bit, little-endian. What is here reads their load commands and makes them
 * smaller; macho-sign.ts signs them. <mach-o/loader.h>, <mach-o/nlist.h>.
 *
 * The last segment, `__LINKEDIT`, is what only the linker and the kernel read: symbols, their names, and at the file's
 * very end the signature.
 */

const MH_MAGIC_64 = 0xfeedfacf;
const HEADER = 32;
const LC_SYMTAB = 2;
const LC_DYSYMTAB = 0xb;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
/** The commands that say where something in `__LINKEDIT` is, as an offset and a size; the signature is one of them. */
const LINKEDIT_DATA = new Set([LC_CODE_SIGNATURE, 0x1e, 0x26, 0x29, 0x2b, 0x2e, 0x80000033, 0x80000034]);
const CPU_ARM64 = 0x0100000c;

/** A load command: its type, and where it stands. */
interface Command {
  readonly type: number;
  readonly at: number;
  readonly size: number;
}

/** So many bytes of a file's begin hold all load commands of any that we read; Node's take up less than 8 KB. */
export const MACHO_HEAD = 65_536;

export function isMachO(head: Buffer): boolean {
  return head.length >= HEADER && head.readUInt32LE(0) === MH_MAGIC_64;
}

/** The load commands at the begin of a file; throws what is wrong with them. */
export class MachO {
  readonly #head: Buffer;
  readonly commands: readonly Command[];

  constructor(head: Buffer) {
    if (!isMachO(head)) throw new Error("not a 64-bit Mach-O file");
    this.#head = head;
    const commands: Command[] = [];
    const end = HEADER + head.readUInt32LE(20);
    if (end > head.length) throw new Error("its load commands are cut off");
    let at = HEADER;
    for (let left = head.readUInt32LE(16); left > 0; left--) {
      const size = at + 8 <= end ? head.readUInt32LE(at + 4) : 0;
      if (size < 8 || at + size > end) throw new Error("its load commands are damaged");
      commands.push({ type: head.readUInt32LE(at), at, size });
      at += size;
    }
    this.commands = commands;
  }

  /** Where the load commands end. */
  get commandsEnd(): number {
    return HEADER + this.#head.readUInt32LE(20);
  }

  /** Pages of segments in memory: a file is loaded by these. */
  get pageSize(): number {
    return this.#head.readUInt32LE(4) === CPU_ARM64 ? 0x4000 : 0x1000;
  }

  /** Where the segment's command is, its offset in the file and its size there. */
  segment(name: string): { at: number; offset: number; size: number } {
    for (const { type, at, size } of this.commands) {
      if (type !== LC_SEGMENT_64 || size < 72) continue;
      if (this.#head.toString("latin1", at + 8, at + 24).replace(/\0+$/, "") !== name) continue;
      return {
        at,
        offset: Number(this.#head.readBigUInt64LE(at + 40)),
        size: Number(this.#head.readBigUInt64LE(at + 48)),
      };
    }
    throw new Error(`it has no segment ${name}`);
  }

  /** The signature's command, and where the signature is; undefined in a file that is not signed. */
  get signature(): { at: number; offset: number; size: number } | undefined {
    const found = this.commands.find(({ type, size }) => type === LC_CODE_SIGNATURE && size === 16);
    if (found === undefined) return undefined;
    const { at } = found;
    return { at, offset: this.#head.readUInt32LE(at + 8), size: this.#head.readUInt32LE(at + 12) };
  }

  /** Where the symbols' command is. */
  get symbols(): number {
    return this.#only(LC_SYMTAB, 24);
  }

  get dynamicSymbols(): number {
    return this.#only(LC_DYSYMTAB, 80);
  }

  /** Where the first section's content begins: load commands have room up to there. */
  get firstSection(): number {
    let first = this.#head.length;
    for (const { type, at, size } of this.commands) {
      if (type !== LC_SEGMENT_64) continue;
      for (let section = at + 72; section + 80 <= at + size; section += 80) {
        const offset = this.#head.readUInt32LE(section + 48);
        if (offset > 0) first = Math.min(first, offset);
      }
    }
    return first;
  }

  #only(type: number, size: number): number {
    const found = this.commands.find((command) => command.type === type && command.size === size);
    if (found === undefined) throw new Error(`it has no load command of type ${type}`);
    return found.at;
  }
}

/** Where a file's own content ends, without its signature: what a payload stands behind, or before. */
export function machoEnd(head: Buffer): { readonly end: number; readonly signed: number } {
  const file = new MachO(head);
  const { offset, size } = file.segment("__LINKEDIT");
  const { signature } = file;
  // Without a signature to where one can begin: so far our bases reach.
  return signature === undefined
    ? { end: aligned(offset + size, 16), signed: 0 }
    : { end: signature.offset, signed: signature.size };
}

/** The file without its signature, whose command goes too. It takes the bytes over. */
export function withoutSignature(file: Buffer): Buffer {
  const macho = new MachO(file);
  const { signature } = macho;
  if (signature === undefined) return file;
  const linkedit = macho.segment("__LINKEDIT");
  file.copyWithin(signature.at, signature.at + 16, macho.commandsEnd);
  file.fill(0, macho.commandsEnd - 16, macho.commandsEnd);
  file.writeUInt32LE(file.readUInt32LE(16) - 1, 16);
  file.writeUInt32LE(file.readUInt32LE(20) - 16, 20);
  const at = linkedit.at > signature.at ? linkedit.at - 16 : linkedit.at;
  setLinkedit(file, at, signature.offset - linkedit.offset, macho.pageSize);
  return file.subarray(0, signature.offset);
}

/** `__LINKEDIT`, whose command is at `at`, gets another size. */
export function setLinkedit(file: Buffer, at: number, size: number, pageSize: number): void {
  file.writeBigUInt64LE(BigInt(size), at + 48);
  file.writeBigUInt64LE(BigInt(aligned(size, pageSize)), at + 32);
}

/**
 * The program without its signature and the symbols that no other file sees, a fifth of Node. Like `strip -x`: what is
 * exported or imported stays. It takes the bytes over.
 *
 *     … | symbols: local, exported, imported | indices of imported ones | names
 */
export function stripMachO(signed: Buffer): Buffer {
  const file = withoutSignature(signed);
  const macho = new MachO(file);
  const { symbols, dynamicSymbols } = macho;
  const at = file.readUInt32LE(symbols + 8);
  const count = file.readUInt32LE(symbols + 12);
  const namesAt = file.readUInt32LE(symbols + 16);
  const locals = file.readUInt32LE(dynamicSymbols + 12);
  const indirectAt = file.readUInt32LE(dynamicSymbols + 56);
  const indirect = file.readUInt32LE(dynamicSymbols + 60);
  if (file.readUInt32LE(dynamicSymbols + 8) !== 0) throw new Error("its symbols are in an order that is not known");
  for (const { type, at: command } of macho.commands) {
    if (LINKEDIT_DATA.has(type) && file.readUInt32LE(command + 8) > at)
      throw new Error("something stands behind its symbols that is not known");
  }

  const kept = Buffer.from(file.subarray(at + locals * NLIST, at + count * NLIST));
  const indices = Buffer.from(file.subarray(indirectAt, indirectAt + indirect * 4));
  for (let index = 0; index < indices.length; index += 4) {
    const symbol = indices.readUInt32LE(index);
    if ((symbol & LOCAL_OR_ABSOLUTE) !== 0) continue;
    // Of a local symbol nothing is left but that it was one.
    indices.writeUInt32LE(symbol < locals ? INDIRECT_SYMBOL_LOCAL : symbol - locals, index);
  }
  const names: Buffer[] = [Buffer.from(" \0")];
  let length = 2;
  for (let symbol = 0; symbol < kept.length; symbol += NLIST) {
    const begin = namesAt + kept.readUInt32LE(symbol);
    const name = file.subarray(begin, file.indexOf(0, begin) + 1);
    kept.writeUInt32LE(length, symbol);
    names.push(name);
    length += name.length;
  }
  const strings = Buffer.concat(names, aligned(length, 8));

  const newIndirectAt = at + kept.length;
  const newNamesAt = aligned(newIndirectAt + indices.length, 8);
  const end = newNamesAt + strings.length;
  file.writeUInt32LE(kept.length / NLIST, symbols + 12);
  file.writeUInt32LE(newNamesAt, symbols + 16);
  file.writeUInt32LE(strings.length, symbols + 20);
  file.writeUInt32LE(0, dynamicSymbols + 12);
  for (const first of [16, 24])
    file.writeUInt32LE(file.readUInt32LE(dynamicSymbols + first) - locals, dynamicSymbols + first);
  file.writeUInt32LE(newIndirectAt, dynamicSymbols + 56);
  const linkedit = macho.segment("__LINKEDIT");
  setLinkedit(file, linkedit.at, end - linkedit.offset, macho.pageSize);
  const gap = Buffer.alloc(newNamesAt - newIndirectAt - indices.length);
  // Names may need more than they did: what was one inside of another stands for itself now.
  return Buffer.concat([file.subarray(0, at), kept, indices, gap, strings]);
}

const NLIST = 16;
const INDIRECT_SYMBOL_LOCAL = 0x80000000;
const LOCAL_OR_ABSOLUTE = 0xc0000000;

/** The next multiple. */
export function aligned(length: number, to: number): number {
  return Math.ceil(length / to) * to;
}

/** Where an executable's own content ends, by its headers, whatever system it is for: a payload stands there, or behind it. */
import { elfEnd, isElf } from "./elf.ts";
import { isMachO, MACHO_HEAD, machoEnd } from "./macho.ts";
import { isPe, PE_HEAD, peEnd } from "./pe.ts";

/** Bytes of a file of `size` bytes; throws where it has none. */
export type ReadAt = (position: number, length: number) => Buffer;

/** `signed`: the length of a signature that begins at `end`; 0 without one. All zero for what is no executable, or damaged. */
export function contentEnd(read: ReadAt, size: number): { readonly end: number; readonly signed: number } {
  const inside: ReadAt = (position, length) => {
    // Before any memory is taken for it.
    if (position + length > size) throw new Error("outside of the file");
    return read(position, length);
  };
  try {
    const head = read(0, Math.min(size, PE_HEAD));
    if (isElf(head)) return { end: elfEnd(head, inside), signed: 0 };
    if (isPe(head)) return peEnd(head);
    if (isMachO(head)) return machoEnd(read(0, Math.min(size, MACHO_HEAD)));
  } catch {
    // Headers that lead out of the file.
  }
  return { end: 0, signed: 0 };
}

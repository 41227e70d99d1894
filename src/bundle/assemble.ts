/**
 * A base and what stands behind it, as one executable of its system: where a payload has to end, and what the file's
 * headers have to say then. ELF takes anything behind its end; a Mach-O file is signed again, a PE file summed up again.
 */
import { stripElf, withHeadersInFront, withoutZeros } from "./elf.ts";
import { aligned, stripMachO, withoutSignature } from "./macho.ts";
import { signMachO, unsignedEnd } from "./macho-sign.ts";
import { withoutCertificates, writeChecksum } from "./pe.ts";
import type { Format } from "./targets.ts";

/** What payloads' ends, and so bases' lengths, are multiples of. */
const ALIGNMENTS: Readonly<Record<Format, number>> = { elf: 1, macho: 16, pe: 8 };

/** For encodePayload. */
export function alignmentOf(format: Format): number {
  return ALIGNMENTS[format];
}

/**
 * The program as a base can be made of it, or the base itself once Node's builder has written it: without symbols, as far as
 * the format has some that nobody needs, and without a signature. It takes the bytes over.
 */
export function stripped(program: Buffer, format: Format): Buffer {
  if (format === "elf") return withoutZeros(withHeadersInFront(stripElf(program)));
  if (format === "pe") return withoutCertificates(program);
  return padded(stripMachO(program), ALIGNMENTS.macho);
}

/** As `stripped`, with its symbols. */
export function unsigned(program: Buffer, format: Format): Buffer {
  if (format === "elf") return program;
  if (format === "pe") return withoutCertificates(program);
  const left = withoutSignature(program);
  return padded(left.subarray(0, unsignedEnd(left)), ALIGNMENTS.macho);
}

/** The executable, in pieces. It takes the base over; `name` is what a signature calls it. */
export function assembled(format: Format, base: Buffer, payload: Buffer, name: string): readonly Buffer[] {
  if (format === "macho") return signMachO(base, payload, name);
  if (format === "pe") writeChecksum(base, [payload]);
  return [base, payload];
}

function padded(bytes: Buffer, to: number): Buffer {
  const length = aligned(bytes.length, to);
  return length === bytes.length ? bytes : Buffer.concat([bytes], length);
}

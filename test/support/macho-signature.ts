/**
 * A checker of Mach-O files that shares no code with what signs them: structure as dyld and XNU want it, and the hash of
 * every page. On genuine signatures, Node's and koffi's, it finds nothing.
 */
import { createHash } from "node:crypto";

interface Segment {
  readonly name: string;
  readonly address: number;
  readonly memory: number;
  readonly offset: number;
  readonly size: number;
}

/** What is wrong with the file, and what its signature says. */
export function checkSignature(file: Buffer): { problems: string[]; identifier: string; flags: number; pages: number } {
  const problems: string[] = [];
  const ensure = (holds: boolean, problem: string) => holds || problems.push(problem);
  ensure(file.readUInt32LE(0) === 0xfeedfacf, "not Mach-O");
  const segments: Segment[] = [];
  let signature = { offset: 0, size: 0 };
  let names = { offset: 0, size: 0 };
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    const command = file.readUInt32LE(at);
    if (command === 0x19) {
      const word = (where: number) => Number(file.readBigUInt64LE(at + where));
      const name = file.toString("latin1", at + 8, at + 24).replace(/\0+$/, "");
      segments.push({ name, address: word(24), memory: word(32), offset: word(40), size: word(48) });
    }
    if (command === 0x1d) signature = { offset: file.readUInt32LE(at + 8), size: file.readUInt32LE(at + 12) };
    if (command === 2) names = { offset: file.readUInt32LE(at + 16), size: file.readUInt32LE(at + 20) };
    at += file.readUInt32LE(at + 4);
  }
  ensure(at === 32 + file.readUInt32LE(20), "sizes of load commands do not add up");
  for (const [index, { name, address, memory, size }] of segments.entries()) {
    ensure(name === "__PAGEZERO" || memory >= size, `${name} is larger in the file than in memory`);
    const next = segments[index + 1];
    if (next !== undefined) ensure(address + memory <= next.address, `${name} reaches into ${next.name}`);
  }
  const last = segments[segments.length - 1];
  ensure(last.name === "__LINKEDIT", "the last segment is not __LINKEDIT");
  ensure(last.offset + last.size === file.length, "__LINKEDIT does not end with the file");
  const page = file.readUInt32LE(4) === 0x0100000c ? 0x4000 : 0x1000;
  ensure(last.memory % page === 0, "__LINKEDIT's memory is no whole number of pages");
  ensure(signature.offset % 16 === 0, "the signature begins at no multiple of 16");
  ensure(signature.offset + signature.size === file.length, "something stands behind the signature");
  ensure(names.offset + names.size === signature.offset, "names do not end where the signature begins");

  const blob = file.subarray(signature.offset);
  ensure(blob.readUInt32BE(0) === 0xfade0cc0, "no SuperBlob");
  const blobs = new Map<number, Buffer>();
  let end = 12 + blob.readUInt32BE(8) * 8;
  for (let index = 0; index < blob.readUInt32BE(8); index++) {
    const offset = blob.readUInt32BE(16 + index * 8);
    ensure(offset === end, "a gap between blobs");
    end = offset + blob.readUInt32BE(offset + 4);
    blobs.set(blob.readUInt32BE(12 + index * 8), blob.subarray(offset, end));
  }
  ensure(end === blob.readUInt32BE(4) && blob.subarray(end).every((byte) => byte === 0), "the SuperBlob's length");

  const directory = blobs.get(0) ?? Buffer.alloc(88);
  ensure(directory.readUInt32BE(0) === 0xfade0c02, "no CodeDirectory");
  const [hashes, name, specials, slots, limit] = [16, 20, 24, 28, 32].map((where) => directory.readUInt32BE(where));
  ensure(limit === signature.offset, "the code limit is not where the signature begins");
  ensure(slots === Math.ceil(limit / 4096), "the number of pages");
  ensure(directory[36] === 32 && directory[37] === 2 && directory[39] === 12, "not SHA-256 of 4,096");
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  const slot = (index: number) => directory.subarray(hashes + index * 32, hashes + index * 32 + 32);
  let bad = 0;
  for (let index = 0; index < slots; index++) {
    const bytes = file.subarray(index * 4096, Math.min(limit, (index + 1) * 4096));
    if (!sha256(bytes).equals(slot(index))) bad++;
  }
  ensure(bad === 0, `${bad} pages have another hash`);
  for (let index = 1; index <= specials; index++) {
    const of = blobs.get(index);
    if (of !== undefined) ensure(sha256(of).equals(slot(-index)), `special slot ${index} has another hash`);
  }
  const text = segments.find((segment) => segment.name === "__TEXT");
  ensure(Number(directory.readBigUInt64BE(72)) === text?.size, "the executable segment's limit");
  return {
    ...{ problems, flags: directory.readUInt32BE(12), pages: slots },
    identifier: directory.toString("latin1", name, directory.indexOf(0, name)),
  };
}

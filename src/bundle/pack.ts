/** What goes into a payload, made ready: only makers of executables need this, no executable does at its start. */
import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import type { PartInput } from "./executable.ts";

/** SHA-256, as encodePayload wants it. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** Enough of a SHA-256 to tell versions apart. */
export function digest(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString("hex", 0, 8);
}

/** A text as small as can be: what is made once, and unpacked by few. */
export function pack(text: string, level = 19): Uint8Array {
  return zstdCompressSync(text, { params: { [constants.ZSTD_c_compressionLevel]: level } });
}

/** The source map, small: it is read when something went wrong, which leaves time to unpack it. */
export function mapPart(map: string): PartInput {
  return { name: "map", bytes: pack(map, 9) };
}

/** Writes version 2 headers for tests, the right ones and the wrong ones. */

/** Type and value. */
export type Tlv = readonly [type: number, value: readonly number[]];

/** A checksum, to be filled in once the header is whole. */
export const crcTlv: Tlv = [0x03, [0, 0, 0, 0]];

export function v2(
  versionCommand: number,
  family: number,
  addresses: readonly number[],
  tlvs: readonly Tlv[] = [],
): Uint8Array<ArrayBuffer> {
  const rest = [...addresses];
  let checksumAt = 0;
  for (const tlv of tlvs) {
    const [type, value] = tlv;
    if (tlv === crcTlv) checksumAt = 16 + rest.length + 3;
    rest.push(type, value.length >> 8, value.length & 0xff, ...value);
  }
  const header = Uint8Array.from([
    ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
    versionCommand,
    family,
    rest.length >> 8,
    rest.length & 0xff,
    ...rest,
  ]);
  if (checksumAt > 0) new DataView(header.buffer).setUint32(checksumAt, crc32c(header));
  return header;
}

/** CRC-32C one bit at a time, most significant first, mirrored at both ends: not the way the parser does it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc ^ (mirror(byte, 8) << 24)) >>> 0;
    for (let i = 0; i < 8; i++) crc = ((crc & 0x80000000 ? (crc << 1) ^ 0x1edc6f41 : crc << 1) >>> 0) >>> 0;
  }
  return (mirror(crc, 32) ^ 0xffffffff) >>> 0;
}

function mirror(value: number, bits: number): number {
  let out = 0;
  for (let i = 0; i < bits; i++) if ((value >>> i) & 1) out |= 1 << (bits - 1 - i);
  return out >>> 0;
}

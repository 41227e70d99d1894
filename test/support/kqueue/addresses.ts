/** Socket addresses of the systems with a length byte, to Linux's and back. */
import type { Headers } from "./headers.ts";

/** What the kernel would be asked with, or the name of the errno that it refuses with. */
export function addressToLinux(H: Headers, address: Uint8Array): Uint8Array | string {
  const family = new Map([[H.AF_UNIX, 1], [H.AF_INET, 2], [H.AF_INET6, 10]]).get(address[1]); // biome-ignore format: pairs
  if (family === undefined) return "EAFNOSUPPORT";
  if (address[0] !== address.length) return "EINVAL";
  if (family === 1) {
    if (address.length > 106) return "EINVAL";
    // There are no names outside of the file system: it is a path, of no length.
    if (address[2] === 0 || address.length <= 2) return "ENOENT";
  }
  const linux = address.slice();
  linux[0] = family;
  linux[1] = 0;
  return linux;
}

/** Writes as much as there is room for, and returns the length that is told. */
export function addressFromLinux(H: Headers, linux: Uint8Array, out: Uint8Array): number {
  const family = new Map([[1, H.AF_UNIX], [2, H.AF_INET], [10, H.AF_INET6]]).get(linux[0]) ?? 0; // biome-ignore format: pairs
  const unnamed = linux[0] === 1 && linux.length <= 2;
  const bytes = new Uint8Array(unnamed ? 16 : linux.length);
  if (linux.length === 0) return 0;
  bytes.set(linux);
  bytes[0] = bytes.length;
  bytes[1] = family;
  out.set(bytes.subarray(0, out.length));
  return bytes.length;
}

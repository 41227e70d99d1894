/**
 * getaddrinfo(3), blocking: only for `listen`, which is synchronous (as Deno.listen) and where a name is usually in
 * /etc/hosts. Everything else looks names up off the thread. Bound when first asked for.
 */
import type { Constants } from "./constants.ts";
import { koffi } from "./koffi.ts";

/** The addresses (4 or 16 bytes) of a name, in the order of the system's preference; or the system's sentence. */
export function lookupSync(constants: Constants, name: string): Uint8Array<ArrayBuffer>[] | string {
  const windows = constants.system === "windows";
  const c = koffi.load(windows ? "ws2_32.dll" : null);
  const getaddrinfo = c.func("getaddrinfo", "int", ["str", "uintptr_t", "void *", "void *"]);
  const freeaddrinfo = c.func("freeaddrinfo", "void", ["uintptr_t"]);

  // struct addrinfo, LP64: int flags, family, socktype, protocol; socklen_t addrlen; pointers at 24, 32 and 40.
  const hints = new Uint8Array(48);
  new DataView(hints.buffer).setInt32(8, constants.SOCK_STREAM, true);
  const result = new BigUint64Array(1);
  const error: number = getaddrinfo(name, 0, hints, result);
  // There gai_strerror is a macro's inline function, and no part of the library.
  if (error !== 0) return windows ? `error ${error} of getaddrinfo` : c.func("gai_strerror", "str", ["int"])(error);

  const found: Uint8Array<ArrayBuffer>[] = [];
  const addressAt = constants.addrinfoAddressAt;
  for (let at = result[0]; at !== 0n; ) {
    const info = new DataView(koffi.view(at, 48));
    const address = new Uint8Array(koffi.view(info.getBigUint64(addressAt, true), info.getUint32(16, true)));
    const family = info.getInt32(4, true);
    if (family === constants.AF_INET) found.push(address.slice(4, 8));
    else if (family === constants.AF_INET6) found.push(address.slice(8, 24));
    at = info.getBigUint64(40, true);
  }
  freeaddrinfo(result[0]);
  return found;
}

/** Socket options as the numbers and structs of man 7 socket, ip, ipv6, tcp. */
import type { System } from "../../ffi/system.ts";

const four = new Uint8Array(4);
const fourView = new DataView(four.buffer);
const asked = new Int32Array(1);

/** Sets an option that is an int. Returns 0 or a negated errno. */
export function setInt(system: System, fd: number, level: number, name: number, value: number): number {
  fourView.setInt32(0, value, true);
  return system.setsockopt(fd, level, name, four);
}

/** Reads an option that is an int; undefined where the kernel says no. */
export function getInt(system: System, fd: number, level: number, name: number): number | undefined {
  return system.getsockopt(fd, level, name, asked) < 0 ? undefined : asked[0];
}

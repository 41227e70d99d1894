/**
 * A listener that is about to close, without a moment in which the kernel still opens connections to it that nobody will
 * accept: close(2) resets those, with the requests that are already on them.
 *
 * From `turnAway` on the kernel drops new SYNs (a classic socket filter, socket(7), which needs no privilege); handshakes
 * that have begun end as ever. Clients whose SYN was dropped send it again a second later, and are then refused.
 */
import type { KernelMemory, System } from "../../ffi/system.ts";

// linux/bpf_common.h and linux/filter.h; offsets are the TCP header's.
const LOAD_BYTE = 0x30;
const AND = 0x54;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;
const FLAGS_AT = 13;
const SYN = 0x02;
const ACK = 0x10;

/** struct sock_filter: code, jump if true, jump if false, operand. Returns how many bytes of the packet to keep. */
const PROGRAM: readonly (readonly [code: number, yes: number, no: number, operand: number])[] = [
  [LOAD_BYTE, 0, 0, FLAGS_AT],
  [AND, 0, 0, SYN | ACK],
  [JUMP_EQUAL, 0, 1, SYN],
  [RETURN, 0, 0, 0],
  [RETURN, 0, 0, 0xffffffff],
];

let memory: KernelMemory | undefined;

/**
 * Lets no more connections begin. Not for a socket that another process holds as well: it is theirs, too, that would
 * fall silent. Where the kernel refuses (SELinux, gVisor), everything is as without.
 */
export function turnAway(system: System, fd: number): void {
  const { SOL_SOCKET, SO_ATTACH_FILTER } = system.constants;
  if (memory === undefined) {
    memory = system.allocate(PROGRAM.length * 8);
    const view = new DataView(memory.buffer);
    for (const [i, [code, yes, no, operand]] of PROGRAM.entries()) {
      view.setUint16(i * 8, code, true);
      view.setUint8(i * 8 + 2, yes);
      view.setUint8(i * 8 + 3, no);
      view.setUint32(i * 8 + 4, operand, true);
    }
  }
  // struct sock_fprog: the length, padding, the address.
  const fprog = new DataView(new ArrayBuffer(16));
  fprog.setUint16(0, PROGRAM.length, true);
  fprog.setBigUint64(8, BigInt(memory.address), true);
  system.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(fprog.buffer));
}

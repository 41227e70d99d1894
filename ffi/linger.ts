/** SO_LINGER (socket(7)): what a socket's owner wants of a close. */
import type { System } from "./system.ts";

/** SO_LINGER of 0 s: the owner wants a reset, and nothing delivered. */
export function resets(system: System, fd: number): boolean {
  const linger = new Int32Array(2);
  const { SOL_SOCKET, SO_LINGER } = system.constants;
  return system.getsockopt(fd, SOL_SOCKET, SO_LINGER, linger) >= 0 && linger[0] !== 0 && linger[1] === 0;
}

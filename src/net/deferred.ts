/**
 * TCP_DEFER_ACCEPT (tcp(7)): the kernel gives a connection to the listener when its client's first bytes are there, not
 * before. For protocols in which the client speaks first that is one wake-up a connection instead of two, and one read
 * that finds what it looks for: a connection with one request took 0.4 of the CPU in a raw epoll loop.
 *
 * A client that says nothing is given after a second all the same. For that long the kernel keeps it among unfinished
 * handshakes, where a listener that closes forgets it: so who drains asks whether there are any.
 */
import { readFileSync } from "node:fs";
import type { System } from "../../ffi/system.ts";
import { getInt, setInt } from "./socket_options.ts";

/** Whole seconds, as the kernel counts them: until its first SYN-ACK is sent again. */
export const DEFER_S = 1;

/** With 0 nobody new is deferred; those that are come with their bytes, or at the end of their second. */
export function deferAccept(system: System, fd: number, seconds: number): boolean {
  const { IPPROTO_TCP, TCP_DEFER_ACCEPT } = system.constants;
  return setInt(system, fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds) >= 0;
}

export function isDeferring(system: System, fd: number): boolean {
  const { IPPROTO_TCP, TCP_DEFER_ACCEPT } = system.constants;
  return (getInt(system, fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) ?? 0) > 0;
}

/** Sockets in the table below; it is read line by line, some 0.3 µs each, by a thread that is about to end. */
const MOST_SOCKETS = 50_000;

/**
 * Whether handshakes on a port are unfinished; also when it can't be told. The table has the state as two hex digits
 * behind both addresses, 03 for SYN_RECV (proc_net_tcp.txt, tcp_states.h).
 */
export function handshakesOn(port: number, sockets: number): boolean {
  if (sockets > MOST_SOCKETS) return true;
  const ours = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const unfinished = new RegExp(`${ours}[0-9A-F]+:[0-9A-F]{4} 03 `);
  try {
    if (unfinished.test(readFileSync("/proc/net/tcp", "latin1"))) return true;
  } catch {
    return true;
  }
  try {
    return unfinished.test(readFileSync("/proc/net/tcp6", "latin1"));
  } catch {
    return false; // no IPv6 here
  }
}

/** Connections. */
import type { Runtime } from "../runtime/turn.ts";

export class Conn {}
export class TcpConn extends Conn {}
export class UnixConn extends Conn {}

export function openConn(_runtime: Runtime, _fd: number, _tcp: boolean): Conn {
  throw new Error("not yet");
}

/** TCP and Unix connections, and how a descriptor or a handle becomes one. */
import type { Handle } from "../../ffi/poller.ts";
import { errnoError } from "../runtime/errno.ts";
import type { Runtime } from "../runtime/turn.ts";
import type { NetAddr, UnixAddr } from "./address.ts";
import { Conn, setOption, sinkOf } from "./conn.ts";
import { ConnTable } from "./conn_table.ts";

/** A TCP connection. */
export class TcpConn extends Conn<NetAddr> {
  /** Sends small writes at once (TCP_NODELAY), which is how connections begin here; false lets the kernel gather them. */
  setNoDelay(noDelay = true): void {
    setOption(this, (constants) => [constants.IPPROTO_TCP, constants.TCP_NODELAY], noDelay ? 1 : 0);
  }

  /** Lets the kernel probe a silent peer (SO_KEEPALIVE; first after two hours, unless the system is told otherwise). */
  setKeepAlive(keepAlive = true): void {
    setOption(this, (constants) => [constants.SOL_SOCKET, constants.SO_KEEPALIVE], keepAlive ? 1 : 0);
  }
}

/** A Unix stream connection. */
export class UnixConn extends Conn<UnixAddr> {}

/** How a listener's connections begin, where that is not as plain ones: src/tls. */
export interface Opener<C extends Conn = Conn> {
  /** As `openConn`. */
  open(rt: Runtime, fd: number): C;
  /** As `adoptConn`. */
  adopt(rt: Runtime, handle: Handle, remote?: string, kept?: Uint8Array<ArrayBuffer>): C;
}

/** The `code` of what an accepted connection fails with for its client's fault alone, as with a reset: who serves such
 *  connections need not hear of each. */
export const PEER_FAILED = "ERR_TLS_CLIENT";

const tables = new WeakMap<Runtime, ConnTable>();

function tableOf(rt: Runtime): ConnTable {
  let table = tables.get(rt);
  if (table === undefined) tables.set(rt, (table = new ConnTable(rt, sinkOf)));
  return table;
}

/** A connection on a descriptor that is non-blocking and close-on-exec; throws, with the descriptor closed, if refused. */
export function openConn(rt: Runtime, fd: number, tcp: boolean): TcpConn | UnixConn {
  const table = tableOf(rt);
  const handle = rt.open(fd, table.sink);
  if (handle < 0) throw errnoError(rt.poller.constants, -handle, "watching a new connection");
  return adoptConn(rt, handle, tcp);
}

/**
 * A connection on a handle that was opened before, for connecting or for a proxy's header; its hold on the process ends.
 * `remote` is the peer's address, packed, where it is not the socket's; `kept` are bytes that have been received.
 */
export function adoptConn(
  rt: Runtime,
  handle: Handle,
  tcp: boolean,
  remote?: string,
  kept?: Uint8Array<ArrayBuffer>,
): TcpConn | UnixConn {
  const table = tableOf(rt);
  rt.poller.setSink(handle, table.sink);
  rt.release();
  return tcp ? new TcpConn(table, handle, remote, kept) : new UnixConn(table, handle, remote, kept);
}

/** What all connections of one runtime share, so that a parked one has nothing of it: the sink, and who has which handle. */
import type { Handle, Sink, Transport } from "../../ffi/poller.ts";
import type { Runtime } from "../runtime/turn.ts";
import { isPacked, packAddress, SOCKADDR_MAX, v4At } from "./address.ts";
import type { Conn } from "./conn.ts";
import { lingerClose } from "./linger.ts";

export class ConnTable {
  readonly runtime: Runtime;
  readonly conns: (Conn | undefined)[] = [];
  readonly sink: Sink;
  /** What they are read and written through: the poller, or a layer over it. */
  readonly transport: Transport;
  /** The port that belongs to a number of `remoteAddress`. */
  remotePort = 0;
  #lastLocal = "";
  readonly #scratch = new Uint8Array(SOCKADDR_MAX);

  constructor(runtime: Runtime, sinkOf: (conns: ConnTable["conns"]) => Sink, transport: Transport = runtime.poller) {
    this.runtime = runtime;
    this.transport = transport;
    this.sink = sinkOf(this.conns);
  }

  /** To be called before `remoteAddress`. */
  localAddress(handle: Handle): string {
    const { poller } = this.runtime;
    const bytes = this.#scratch;
    const length = poller.system.getsockname(poller.fd(handle), bytes);
    // Most connections were accepted on one address: they share its string.
    if (!isPacked(this.#lastLocal, bytes, length)) this.#lastLocal = packAddress(bytes, length);
    return this.#lastLocal;
  }

  /** The peer's address: packed, or, if it is an IPv4 one, its four bytes as a number. */
  remoteAddress(handle: Handle): number | string {
    const { poller } = this.runtime;
    const bytes = this.#scratch;
    const length = poller.system.getpeername(poller.fd(handle), bytes);
    // A peer that is gone before it could be asked for (ENOTCONN) leaves the unspecified address of the same family.
    if (length < 0) return this.#lastLocal.slice(0, 2).padEnd(this.#lastLocal.length, "\0");
    const at = v4At(poller.constants, bytes, length);
    if (at < 0) return packAddress(bytes, length);
    this.remotePort = (bytes[2] << 8) | bytes[3];
    return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }

  /** A layer over the connection does not let it send yet; or it has bytes of it that wait to be sent. */
  locked(_handle: Handle): boolean {
    return false;
  }
  blocked(_handle: Handle): boolean {
    return false;
  }

  close(handle: Handle): void {
    this.conns[handle] = undefined;
    this.runtime.close(handle);
  }

  linger(handle: Handle, sending: boolean): void {
    this.conns[handle] = undefined;
    lingerClose(handle, sending, this.runtime);
  }
}

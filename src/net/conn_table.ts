/** What all connections of one runtime share, so that a parked one has nothing of it: the sink, and who has which handle. */
import type { Handle, Sink } from "../../ffi/poller.ts";
import type { Runtime } from "../runtime/turn.ts";
import { packAddress, SOCKADDR_MAX } from "./address.ts";
import type { Conn } from "./conn.ts";
import { lingerClose } from "./linger.ts";

export class ConnTable {
  readonly runtime: Runtime;
  readonly conns: (Conn | undefined)[] = [];
  readonly sink: Sink;
  #lastLocal = "";
  readonly #scratch = new Uint8Array(SOCKADDR_MAX);

  constructor(runtime: Runtime, sinkOf: (conns: ConnTable["conns"]) => Sink) {
    this.runtime = runtime;
    this.sink = sinkOf(this.conns);
  }

  /** To be called before `remoteAddress`. */
  localAddress(handle: Handle): string {
    const { poller } = this.runtime;
    const packed = packAddress(this.#scratch, poller.system.getsockname(poller.fd(handle), this.#scratch));
    // Most connections were accepted on one address: they share its string.
    if (packed !== this.#lastLocal) this.#lastLocal = packed;
    return this.#lastLocal;
  }

  remoteAddress(handle: Handle): string {
    const { poller } = this.runtime;
    const length = poller.system.getpeername(poller.fd(handle), this.#scratch);
    // A peer that is gone before it could be asked for (ENOTCONN) leaves the unspecified address of the same family.
    return length < 0
      ? this.#lastLocal.slice(0, 2).padEnd(this.#lastLocal.length, "\0")
      : packAddress(this.#scratch, length);
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

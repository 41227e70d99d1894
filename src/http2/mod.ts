/** HTTP/2 (RFC 9113) on the connections of a server: the one sink of all that speak it. */
import type { Handle, Sink } from "../../ffi/poller.ts";
import type { Protocol, ProtocolHost } from "../http/protocol.ts";
import { Http2Connection } from "./connection.ts";
import type { Lifetime, Owner } from "./lifetime.ts";
import { defaultTiming, type Timing } from "./limits.ts";

export class Http2 implements Protocol, Sink, Owner {
  readonly timing: Timing;
  readonly #http: ProtocolHost;
  readonly #connections: (Http2Connection | undefined)[] = [];

  /** `timing`: for tests. */
  constructor(http: ProtocolHost, timing: Timing = defaultTiming) {
    this.#http = http;
    this.timing = timing;
  }

  start(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    const http = this.#http;
    const connection = new Http2Connection(http, handle, this);
    this.#connections[handle] = connection;
    http.others.set(handle, connection);
    http.poller.setSink(handle, this);
    connection.received(bytes, start, end);
  }

  closed({ handle }: Lifetime): void {
    this.#connections[handle] = undefined;
  }

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.#http.counters.bytesIn += end - start;
    this.#connections[handle]?.received(bytes, start, end);
  }
  sent(handle: Handle): void {
    this.#connections[handle]?.sent();
  }
  blocked(handle: Handle): void {
    this.#connections[handle]?.output.block();
  }
  ended(handle: Handle): void {
    this.#connections[handle]?.ended();
  }
  hungUp(handle: Handle): void {
    this.#connections[handle]?.hungUp();
  }
  failed(handle: Handle, errno: number): void {
    this.#connections[handle]?.failed(errno);
  }
  expired(handle: Handle): void {
    this.#connections[handle]?.expired();
  }
  connected(): void {}
  accepted(): void {}
  datagram(): void {}
}

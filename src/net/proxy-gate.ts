/**
 * Where connections wait for their PROXY header: the sink of a handle until the header is whole, which then goes to its
 * real owner with whatever came behind. So a server that expects headers costs nothing more afterwards, and one that
 * does not has nothing of this at all.
 */
import type { Handle, Poller, Sink } from "../../ffi/poller.ts";
import { type Addr, decodeAddress, encodeIp, encodeUnix, SOCKADDR_MAX } from "./address.ts";
import { parseIp } from "./ip.ts";
import { PROXY_INCOMPLETE, PROXY_MALFORMED, ProxyParser, type ProxySource } from "./proxy-protocol.ts";
import type { Ranges } from "./trust.ts";

/** Whom the connections belong to. Deadlines are the owner's: what expires, ends or fails meanwhile is told to it. */
export interface ProxyGateOwner extends Pick<Sink, "ended" | "failed" | "expired"> {
  /** The header is whole; `bytes[start, end)` came behind it, and are lent. The owner makes itself the sink. */
  admitted(handle: Handle, client: ProxySource, bytes: Uint8Array, start: number, end: number): void;
  /** There is no header, or a wrong one: close the connection. `reason` says why, as the end of a sentence. */
  refused(handle: Handle, reason: string): void;
}

export class ProxyGate implements Sink {
  readonly #poller: Poller;
  readonly #trusted: Ranges;
  readonly #owner: ProxyGateOwner;
  readonly #parser = new ProxyParser();
  /** Parts of headers; the parser refuses what would become longer than MAX_PROXY_HEADER. */
  readonly #parts = new Map<Handle, Uint8Array<ArrayBuffer>>();
  /**
   * Of connections that came through a proxy: their client, undefined where the proxy does not know it. The owner adds
   * what it wants to be reminded of, and calls `forget`.
   */
  readonly clients = new Map<Handle, Addr | undefined>();

  constructor(poller: Poller, trusted: Ranges, owner: ProxyGateOwner) {
    this.#poller = poller;
    this.#trusted = trusted;
    this.#owner = owner;
  }

  /** Whether the peer of a new connection may say who its client is. */
  trusts(handle: Handle): boolean {
    const length = this.#poller.system.getpeername(this.#poller.fd(handle), scratch);
    return length >= 0 && this.#trusted.hasPeer(decodeAddress(this.#poller.constants, scratch, length));
  }

  /** The connection was closed by its owner. */
  forget(handle: Handle): void {
    this.#parts.delete(handle);
    this.clients.delete(handle);
  }

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    // The poller may go on with the sink that it began with: more bytes, or FIN, right behind the header.
    const sink = this.#poller.sink(handle);
    if (sink !== this) return sink?.received(handle, bytes, start, end);
    const part = this.#parts.get(handle);
    if (part !== undefined) {
      // The header's beginning is ours, the rest is lent.
      const whole = new Uint8Array(part.length + end - start);
      whole.set(part);
      whole.set(bytes.subarray(start, end), part.length);
      bytes = whole;
      start = 0;
      end = whole.length;
    }
    const length = this.#parser.parse(bytes, start, end);
    if (length === PROXY_INCOMPLETE) {
      this.#parts.set(
        handle,
        part === undefined ? (bytes.slice(start, end) as Uint8Array<ArrayBuffer>) : (bytes as Uint8Array<ArrayBuffer>),
      );
      return;
    }
    this.#parts.delete(handle);
    if (length === PROXY_MALFORMED) this.#owner.refused(handle, this.#parser.reason);
    else this.#owner.admitted(handle, this.#parser.client, bytes, start + length, end);
  }

  /** A load balancer that only looks whether we listen leaves without a word. */
  ended(handle: Handle): void {
    const sink = this.#poller.sink(handle);
    if (sink === this) this.#owner.ended(handle);
    else sink?.ended(handle);
  }
  failed(handle: Handle, errno: number): void {
    const sink = this.#poller.sink(handle);
    if (sink === this) this.#owner.failed(handle, errno);
    else sink?.failed(handle, errno);
  }
  expired(handle: Handle): void {
    this.#owner.expired(handle);
  }

  hungUp(): void {}
  sent(): void {}
  connected(): void {}
  accepted(): void {}
  datagram(): void {}
}

/** The client's address as a sockaddr. */
export function encodeClient(poller: Poller, client: Addr): Uint8Array<ArrayBuffer> {
  if ("path" in client) return encodeUnix(poller.constants, client.path);
  const ip = parseIp(client.hostname);
  if (ip === undefined) throw new TypeError(`no IP address: ${client.hostname}`); // the parser makes none
  return encodeIp(poller.constants, ip, client.port);
}

const scratch = new Uint8Array(SOCKADDR_MAX);

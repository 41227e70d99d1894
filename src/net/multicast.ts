/** Membership in multicast groups: the options of man 7 ip and ipv6, in Deno's shape. */
import type { Poller } from "../../ffi/poller.ts";
import { errnoError } from "../runtime/errno.ts";
import { parseIp } from "./ip.ts";
import { setInt } from "./socket_options.ts";

/** Membership in an IPv4 group. Made by `DatagramConn.joinMulticastV4`. */
export class MulticastV4 {
  readonly #poller: Poller;
  readonly #fd: () => number;
  readonly #request = new Uint8Array(8); // struct ip_mreq: group, interface
  readonly #group: string;

  /** @internal */
  constructor(poller: Poller, fd: () => number, group: string, networkInterface: string) {
    this.#poller = poller;
    this.#fd = fd;
    this.#group = group;
    this.#request.set(address(group, 4), 0);
    this.#request.set(address(networkInterface, 4), 4);
    const { IPPROTO_IP, IP_ADD_MEMBERSHIP } = poller.constants;
    check(poller, poller.system.setsockopt(fd(), IPPROTO_IP, IP_ADD_MEMBERSHIP, this.#request), `join ${group}`);
  }

  /** Leaves the group. */
  async leave(): Promise<void> {
    const { system, constants } = this.#poller;
    const left = system.setsockopt(this.#fd(), constants.IPPROTO_IP, constants.IP_DROP_MEMBERSHIP, this.#request);
    check(this.#poller, left, `leave ${this.#group}`);
  }

  /** Whether what this socket sends to groups comes back to this machine. */
  async setLoopback(loopback: boolean): Promise<void> {
    const { system, constants } = this.#poller;
    const { IPPROTO_IP, IP_MULTICAST_LOOP } = constants;
    check(this.#poller, setInt(system, this.#fd(), IPPROTO_IP, IP_MULTICAST_LOOP, loopback ? 1 : 0), "set loopback");
  }

  /** Over how many routers what this socket sends to groups may go. */
  async setTTL(ttl: number): Promise<void> {
    const { system, constants } = this.#poller;
    check(this.#poller, setInt(system, this.#fd(), constants.IPPROTO_IP, constants.IP_MULTICAST_TTL, ttl), "set TTL");
  }
}

/** Membership in an IPv6 group. Made by `DatagramConn.joinMulticastV6`. */
export class MulticastV6 {
  readonly #poller: Poller;
  readonly #fd: () => number;
  readonly #request = new Uint8Array(20); // struct ipv6_mreq: group, interface index
  readonly #group: string;

  /** @internal */
  constructor(poller: Poller, fd: () => number, group: string, networkInterface: number) {
    this.#poller = poller;
    this.#fd = fd;
    this.#group = group;
    this.#request.set(address(group, 16), 0);
    new DataView(this.#request.buffer).setUint32(16, networkInterface, true);
    const { IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP } = poller.constants;
    check(poller, poller.system.setsockopt(fd(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, this.#request), `join ${group}`);
  }

  /** Leaves the group. */
  async leave(): Promise<void> {
    const { system, constants } = this.#poller;
    const left = system.setsockopt(this.#fd(), constants.IPPROTO_IPV6, constants.IPV6_DROP_MEMBERSHIP, this.#request);
    check(this.#poller, left, `leave ${this.#group}`);
  }

  /** Whether what this socket sends to groups comes back to this machine. */
  async setLoopback(loopback: boolean): Promise<void> {
    const { system, constants } = this.#poller;
    const { IPPROTO_IPV6, IPV6_MULTICAST_LOOP } = constants;
    check(
      this.#poller,
      setInt(system, this.#fd(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loopback ? 1 : 0),
      "set loopback",
    );
  }
}

function address(text: string, length: 4 | 16): Uint8Array {
  const ip = parseIp(text);
  if (ip?.bytes.length === length) return ip.bytes;
  throw new TypeError(`"${text}" is no IPv${length === 4 ? 4 : 6} address`);
}

function check(poller: Poller, result: number, what: string): void {
  if (result < 0) throw errnoError(poller.constants, -result, what);
}

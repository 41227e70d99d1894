/** `listenDatagram`: from options to a datagram socket. */
import { errnoError, errnoName } from "../runtime/errno.ts";
import { runtime } from "../runtime/turn.ts";
import {
  checkPort,
  checkText,
  encodeIp,
  encodeUnix,
  isAbstract,
  type NetAddr,
  showHost,
  type UnixAddr,
} from "./address.ts";
import { DatagramConn } from "./datagram.ts";
import { resolveSync } from "./names.ts";
import { socketFile } from "./socket_file.ts";
import { setInt } from "./socket_options.ts";

export interface UdpListenOptions {
  transport: "udp";
  /** The port; 0 takes any free one. */
  port: number;
  /** As in Deno, nothing from outside arrives unless asked for. @default {"127.0.0.1"} */
  hostname?: string;
  /** Lets several sockets have the port; for multicast. @default {false} */
  reuseAddress?: boolean;
  /** Whether multicast that this socket sends comes back to this machine. @default {the system's: true} */
  loopback?: boolean;
}

export interface UnixDatagramOptions {
  transport: "unixpacket";
  /** The file to make, or "@name" for an abstract socket (Linux). */
  path: string;
}

/**
 * Opens a socket for datagrams.
 *
 * ```ts
 * import { listenDatagram } from "slipway";
 * using a = listenDatagram({ transport: "udp", port: 0 });
 * using b = listenDatagram({ transport: "udp", port: 0 });
 * await a.send(new TextEncoder().encode("hello"), b.addr);
 * const [bytes, from] = await b.receive();
 * console.log(new TextDecoder().decode(bytes), "from port", from.port);
 * ```
 */
export function listenDatagram(options: UdpListenOptions): DatagramConn<NetAddr>;
export function listenDatagram(options: UnixDatagramOptions): DatagramConn<UnixAddr>;
export function listenDatagram(options: UdpListenOptions | UnixDatagramOptions): DatagramConn<NetAddr | UnixAddr>;
export function listenDatagram(options: UdpListenOptions | UnixDatagramOptions): DatagramConn<NetAddr | UnixAddr> {
  if (options?.transport === "udp") return listenUdp(options);
  if (options?.transport === "unixpacket") return listenUnixPacket(options);
  const given = JSON.stringify((options as { transport?: unknown } | undefined)?.transport);
  throw new TypeError(`transport must be "udp" or "unixpacket", not ${given}`);
}

function listenUdp(options: UdpListenOptions): DatagramConn<NetAddr> {
  const port = checkPort(options.port);
  const hostname = checkText("hostname", options.hostname ?? "127.0.0.1");
  const rt = runtime();
  const { system, constants } = rt.poller;
  const where = `listen on udp ${showHost(hostname, port)}`;
  const ip = resolveSync(constants, hostname);
  const v6 = ip.bytes.length === 16;
  const fd = system.socket(v6 ? constants.AF_INET6 : constants.AF_INET, constants.SOCK_DGRAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where);
  const check = (result: number): void => {
    if (result >= 0) return;
    system.close(fd);
    const taken = errnoName(constants, -result) === "EADDRINUSE";
    throw errnoError(constants, -result, where, taken ? "choose another port (0 takes any free one)" : undefined);
  };
  // As Go has it: without, sending to a broadcast address is refused.
  check(setInt(system, fd, constants.SOL_SOCKET, constants.SO_BROADCAST, 1));
  if (options.reuseAddress) check(setInt(system, fd, constants.SOL_SOCKET, constants.SO_REUSEADDR, 1));
  if (v6) check(setInt(system, fd, constants.IPPROTO_IPV6, constants.IPV6_V6ONLY, 0));
  if (options.loopback !== undefined) {
    const level = v6 ? constants.IPPROTO_IPV6 : constants.IPPROTO_IP;
    const name = v6 ? constants.IPV6_MULTICAST_LOOP : constants.IP_MULTICAST_LOOP;
    check(setInt(system, fd, level, name, options.loopback ? 1 : 0));
  }
  check(system.bind(fd, encodeIp(constants, ip, port)));
  return new DatagramConn<NetAddr>(rt, fd, v6 ? "v6" : "v4", undefined);
}

function listenUnixPacket(options: UnixDatagramOptions): DatagramConn<UnixAddr> {
  const path = checkText("path", options.path);
  const rt = runtime();
  const { system, constants } = rt.poller;
  const address = encodeUnix(constants, path);
  const where = `listen on unix:${path}`;
  const fd = system.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where);
  const failed = system.bind(fd, address);
  if (failed < 0) {
    system.close(fd);
    throw errnoError(constants, -failed, where);
  }
  return new DatagramConn<UnixAddr>(rt, fd, "unix", isAbstract(path) ? undefined : socketFile(path));
}

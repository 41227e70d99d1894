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
  showAddress,
  showHost,
  type UnixAddr,
} from "./address.ts";
import { DatagramConn } from "./datagram.ts";
import { resolveSync } from "./names.ts";
import { socketFile } from "./socket_file.ts";
import { setInt } from "./socket_options.ts";

export interface UdpListenOptions {
  transport: "udp";
  /** The port; 0 takes any free one. @default {0} */
  port?: number;
  /** An address, or a name of this machine. @default {"0.0.0.0"} */
  hostname?: string;
  /** Lets several sockets have the port; for multicast. @default {false} */
  reuseAddress?: boolean;
  /** Whether multicast that this socket sends comes back to this machine. @default {the system's: true} */
  loopback?: boolean;
}

export interface UnixDatagramOptions {
  transport: "unixpacket";
  /** The file to make, or "@name" for an abstract socket (Linux). Without, nobody can send to it. */
  path?: string;
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
  const port = checkPort(options.port ?? 0);
  const hostname = checkText("hostname", options.hostname ?? "0.0.0.0");
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

function listenUnixPacket({ transport, ...options }: UnixDatagramOptions): DatagramConn<UnixAddr> {
  const rt = runtime();
  const { system, constants } = rt.poller;
  const path = options.path === undefined ? undefined : checkText("path", options.path);
  const address = path === undefined ? undefined : encodeUnix(constants, path);
  const where = path === undefined ? "listen for Unix datagrams" : `listen on ${showAddress({ transport, path })}`;
  const fd = system.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where);
  const failed = address === undefined ? 0 : system.bind(fd, address);
  if (failed < 0) {
    system.close(fd);
    throw errnoError(constants, -failed, where);
  }
  return new DatagramConn<UnixAddr>(
    rt,
    fd,
    "unix",
    path === undefined || isAbstract(path) ? undefined : socketFile(path),
  );
}

/** Numbers of another system to Linux's, by the names that they have in the headers of both. */
import { linux } from "../../../ffi/constants/linux.ts";
import type { Headers } from "./headers.ts";

const byLinux = new Map(Object.entries(linux.errno).map(([name, number]) => [number, name]));
/** What no call of ours tells apart. */
const OTHER = { ENOTTY: 25, ENOSYS: 78 };

export function errnoFromLinux(H: Headers, errno: number): number {
  const name = byLinux.get(errno);
  if (name !== undefined) return H[name];
  if (errno === 38) return OTHER.ENOSYS;
  // The first 34 are the same everywhere, but for EAGAIN, which has a name.
  return errno <= 34 ? errno : H["EINVAL"];
}

/** Linux's names of a system's options. */
const options: Readonly<Record<string, readonly [level: string, name: string, number: number]>> = {
  SO_REUSEADDR: ["SOL_SOCKET", "SO_REUSEADDR", 2],
  SO_TYPE: ["SOL_SOCKET", "SO_TYPE", 3],
  SO_ERROR: ["SOL_SOCKET", "SO_ERROR", 4],
  SO_BROADCAST: ["SOL_SOCKET", "SO_BROADCAST", 6],
  SO_SNDBUF: ["SOL_SOCKET", "SO_SNDBUF", 7],
  SO_RCVBUF: ["SOL_SOCKET", "SO_RCVBUF", 8],
  SO_KEEPALIVE: ["SOL_SOCKET", "SO_KEEPALIVE", 9],
  SO_LINGER: ["SOL_SOCKET", "SO_LINGER", 13],
  SO_REUSEPORT: ["SOL_SOCKET", "SO_REUSEPORT", 15],
  SO_REUSEPORT_LB: ["SOL_SOCKET", "SO_REUSEPORT_LB", 15],
  SO_ACCEPTCONN: ["SOL_SOCKET", "SO_ACCEPTCONN", 30],
  TCP_NODELAY: ["IPPROTO_TCP", "TCP_NODELAY", 1],
  IPV6_V6ONLY: ["IPPROTO_IPV6", "IPV6_V6ONLY", 26],
  IPV6_MULTICAST_LOOP: ["IPPROTO_IPV6", "IPV6_MULTICAST_LOOP", 19],
  IPV6_JOIN_GROUP: ["IPPROTO_IPV6", "IPV6_JOIN_GROUP", 20],
  IPV6_LEAVE_GROUP: ["IPPROTO_IPV6", "IPV6_LEAVE_GROUP", 21],
  IP_MULTICAST_TTL: ["IPPROTO_IP", "IP_MULTICAST_TTL", 33],
  IP_MULTICAST_LOOP: ["IPPROTO_IP", "IP_MULTICAST_LOOP", 34],
  IP_ADD_MEMBERSHIP: ["IPPROTO_IP", "IP_ADD_MEMBERSHIP", 35],
  IP_DROP_MEMBERSHIP: ["IPPROTO_IP", "IP_DROP_MEMBERSHIP", 36],
};
const LINUX_LEVEL: Readonly<Record<string, number>> = {
  SOL_SOCKET: 1,
  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
};

/** Linux's level and number of an option; undefined for one that the system does not have. */
export function socketOption(H: Headers, level: number, name: number): [level: number, name: number] | undefined {
  for (const [levelName, ownName, number] of Object.values(options)) {
    if (H[levelName] === level && H[ownName] === name) return [LINUX_LEVEL[levelName], number];
  }
  return undefined;
}

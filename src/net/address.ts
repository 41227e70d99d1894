/**
 * Socket addresses: Deno's `Addr` objects and the kernel's sockaddr bytes (man 7 ip, ipv6, unix), each way.
 *
 * An IPv4 peer of a dual-stack socket is shown as plain IPv4, "192.0.2.1" and not "::ffff:192.0.2.1", as Go does it:
 * so a list of allowed addresses holds whichever way the socket was opened. Abstract Unix sockets (Linux) are "\0name",
 * as in Deno, Node and the kernel; messages show them as "@name", as ss(8) and Go do, and that is understood as well. A
 * file whose name really begins with "@" is "./@name".
 */
import type { Constants } from "../../ffi/constants.ts";
import { NotSupported } from "../runtime/errors.ts";
import { formatV4, formatV6, type Ip, isMappedV4 } from "./ip.ts";

/** The address of a TCP or UDP endpoint. */
export interface NetAddr {
  transport: "tcp" | "udp";
  /** An IP address. */
  hostname: string;
  port: number;
}

/**
 * The address of a Unix socket. As in Deno, whose type does not say so either, the path is null for a socket that has no
 * name: most clients' sockets have none.
 */
export interface UnixAddr {
  transport: "unix" | "unixpacket";
  path: string;
}

/** The address of an endpoint, as Deno.Addr. */
export type Addr = NetAddr | UnixAddr;

/** The largest sockaddr, sockaddr_storage. */
export const SOCKADDR_MAX = 128;

/** The sockaddr of an IP address and a port. */
export function encodeIp(constants: Constants, ip: Ip, port: number): Uint8Array<ArrayBuffer> {
  const v4 = ip.bytes.length === 4;
  const address = new Uint8Array(v4 ? 16 : 28);
  writeFamily(constants, address, v4 ? constants.AF_INET : constants.AF_INET6);
  address[2] = port >> 8;
  address[3] = port & 0xff;
  address.set(ip.bytes, v4 ? 4 : 8);
  if (ip.zone !== "") new DataView(address.buffer).setUint32(24, interfaceIndex(ip.zone), true);
  return address;
}

/** The same address for an IPv6 socket: IPv4 is mapped into ::ffff:0:0/96, which dual-stack sockets speak. */
export function mapToV6(ip: Ip): Ip {
  if (ip.bytes.length === 16) return ip;
  const bytes = new Uint8Array(16);
  bytes[10] = bytes[11] = 0xff;
  bytes.set(ip.bytes, 12);
  return { bytes, zone: "" };
}

/** The sockaddr of a Unix socket's path; throws a RangeError when it does not fit. */
export function encodeUnix(constants: Constants, path: string): Uint8Array<ArrayBuffer> {
  const abstract = isAbstract(path);
  if (constants.system === "windows") refuseOnWindows(path, abstract);
  const name = new TextEncoder().encode(abstract ? path.slice(1) : path);
  const room = constants.UNIX_PATH_MAX - 1;
  if (name.length > room) {
    throw new RangeError(
      `Unix socket path of ${name.length} bytes is too long, ${room} is the most (unix(7)): "${path}"; use a shorter path, for example a relative one`,
    );
  }
  if (!abstract && name.includes(0)) {
    throw new TypeError(`Unix socket path holds a NUL byte: ${JSON.stringify(path)}`);
  }
  // An abstract name is exactly as long as the address says; a path ends with a NUL.
  const address = new Uint8Array(2 + (abstract ? 1 : 0) + name.length + (abstract ? 0 : 1));
  writeFamily(constants, address, constants.AF_UNIX);
  address.set(name, abstract ? 3 : 2);
  return address;
}

/** Unix sockets there are files, as everywhere; what Node names so, pipes of Windows's own, are no sockets at all. */
function refuseOnWindows(path: string, abstract: boolean): void {
  if (/^[\\/]{2}[.?][\\/]pipe[\\/]/i.test(path)) {
    throw new NotSupported(
      `not supported on this OS: "${path}" is a named pipe, and Slipway speaks to sockets; give a file's path, for a Unix socket`,
    );
  }
  if (abstract)
    throw new NotSupported(`not supported on this OS: abstract Unix sockets are Linux's; give a file's path`);
}

/** True for a name outside the file system: "@name" or "\0name". */
export function isAbstract(path: string): boolean {
  return path.startsWith("@") || path.startsWith("\0");
}

/** The `Addr` of the sockaddr in `bytes[0, length)`. */
export function decodeAddress(
  constants: Constants,
  bytes: Uint8Array,
  length: number,
  transports: Transports = STREAM,
): Addr {
  const family = familyOf(constants, bytes, length);
  if (family === constants.AF_INET) {
    return { transport: transports.ip, hostname: formatV4(bytes, 4), port: (bytes[2] << 8) | bytes[3] };
  }
  if (family === constants.AF_INET6) {
    const hostname = isMappedV4(bytes, 8) ? formatV4(bytes, 20) : formatV6(bytes, 8) + zoneOf(bytes);
    return { transport: transports.ip, hostname, port: (bytes[2] << 8) | bytes[3] };
  }
  if (length <= 2 || (bytes[2] === 0 && length === 3)) {
    return { transport: transports.unix, path: null as unknown as string };
  }
  if (bytes[2] === 0) return { transport: transports.unix, path: decodePath(bytes, 2, length) };
  const nul = bytes.indexOf(0, 2);
  return { transport: transports.unix, path: decodePath(bytes, 2, nul < 0 || nul > length ? length : nul) };
}

/** A sockaddr as a string of its bytes: the smallest thing that holds it, 32 bytes of heap for IPv4. */
export function packAddress(bytes: Uint8Array, length: number): string {
  return length <= 0 ? "" : String.fromCharCode(...bytes.subarray(0, length));
}

/** Whether `packed` is what `packAddress` would make: to find out costs nothing, to make it 700 bytes of garbage. */
export function isPacked(packed: string, bytes: Uint8Array, length: number): boolean {
  if (packed.length !== Math.max(0, length)) return false;
  for (let i = 0; i < length; i++) if (packed.charCodeAt(i) !== bytes[i]) return false;
  return true;
}

/** The `Addr` of a packed sockaddr. */
export function unpackAddress(constants: Constants, packed: string, transports: Transports = STREAM): Addr {
  const bytes = Uint8Array.from(packed, (char) => char.charCodeAt(0));
  return decodeAddress(constants, bytes, bytes.length, transports);
}

/** Where the four bytes of an IPv4 address are in a sockaddr, in IPv6's clothes or not; -1 when it holds none. */
export function v4At(constants: Constants, bytes: Uint8Array, length: number): number {
  const family = familyOf(constants, bytes, length);
  if (family === constants.AF_INET) return 4;
  return family === constants.AF_INET6 && isMappedV4(bytes, 8) ? 20 : -1;
}

/** The `Addr` of a TCP endpoint whose IPv4 address is given as a number of 32 bits. */
export function unpackV4(address: number, port: number): NetAddr {
  const hostname = `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  return { transport: "tcp", hostname, port };
}

/** What `transport` says for each family. */
export interface Transports {
  readonly ip: "tcp" | "udp";
  readonly unix: "unix" | "unixpacket";
}
export const STREAM: Transports = { ip: "tcp", unix: "unix" };
export const DATAGRAM: Transports = { ip: "udp", unix: "unixpacket" };

/** An address as messages show it: "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/x.sock", "unix:@name". */
export function showAddress(addr: Addr): string {
  if ("path" in addr) return `unix:${(addr.path ?? "").replace(/^\0/, "@")}`;
  return showHost(addr.hostname, addr.port);
}

/** "host:port", with the brackets that an IPv6 address needs. */
export function showHost(hostname: string, port: number): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** The port, or one line saying why it is none: Deno's words, and what a port is. */
export function checkPort(port: unknown): number {
  // Deno takes digits in a string as well, as programs read them from the environment.
  const number = typeof port === "string" && /^\d+$/.test(port) ? Number(port) : port;
  // Deno's words first: programs match on them.
  const cure = "it must be a whole number from 0 to 65535";
  if (typeof number === "string") throw new TypeError(`Invalid port: '${number}': ${cure}`);
  if (typeof number !== "number") throw new TypeError(`Invalid port (expected number): ${describe(port)}: ${cure}`);
  if (!Number.isInteger(number)) throw new TypeError(`Invalid port: ${number}: ${cure}`);
  if (number < 0 || number > 65535) throw new RangeError(`Invalid port (out of range): ${number}: ${cure}`);
  return number;
}

/** Of `listen` and `connect`. */
export function transportError(transport: unknown): Error {
  if (transport === "vsock") {
    return new NotSupported(`transport "vsock" is not supported by Slipway: use "tcp" or "unix"`);
  }
  return new TypeError(`transport must be "tcp" or "unix", not ${JSON.stringify(transport)}`);
}

/** A non-empty string, or one line saying what `name` should have been. */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string, not ${describe(value)}`);
  if (value === "") throw new TypeError(`${name} is empty`);
  return value;
}

function describe(value: unknown): string {
  return value === null || value === undefined || typeof value === "boolean"
    ? String(value)
    : `${typeof value} ${JSON.stringify(value) ?? ""}`.trim();
}

function familyOf(constants: Constants, bytes: Uint8Array, length: number): number {
  if (length < 2) return constants.AF_UNIX;
  return constants.sockaddrHasLength ? bytes[1] : bytes[0] | (bytes[1] << 8);
}

function writeFamily(constants: Constants, address: Uint8Array, family: number): void {
  if (constants.sockaddrHasLength) {
    address[0] = address.length;
    address[1] = family;
  } else {
    // In the byte order of the machine, which is little-endian wherever Node's single executables are built.
    address[0] = family & 0xff;
    address[1] = family >> 8;
  }
}

function decodePath(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/** "%2" of a link-local address: the number, which parses everywhere, rather than a name that must be looked up. */
function zoneOf(bytes: Uint8Array): string {
  const scope = bytes[24] | (bytes[25] << 8) | (bytes[26] << 16) | (bytes[27] << 24);
  return scope === 0 ? "" : `%${scope}`;
}

function interfaceIndex(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  const { networkInterfaces } = process.getBuiltinModule("node:os");
  for (const address of networkInterfaces()[zone] ?? []) {
    if (address.family === "IPv6" && address.scopeid) return address.scopeid;
  }
  throw new TypeError(`no network interface "${zone}" with an IPv6 link-local address on this machine`);
}

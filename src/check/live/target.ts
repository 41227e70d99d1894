/**
 * What may be attacked: a server on this machine, and nothing else. An address is checked, and then that very address is
 * connected to: a name that would be asked a second time could answer with another one (DNS rebinding).
 */
import { showHost } from "../../net/address.ts";
import { type Ip, isMappedV4, parseIp } from "../../net/ip.ts";
import { resolve } from "../../net/names.ts";

/** Where the attacks go. */
export interface Target {
  /** As it is shown: `http://localhost:8000/` or `unix:/run/shop.sock`. */
  readonly shown: string;
  readonly secure: boolean;
  /** What every request says as Host. */
  readonly host: string;
  /** The name that a certificate should have; undefined for an address. */
  readonly serverName: string | undefined;
  /** The request target of ordinary requests. */
  readonly path: string;
  /** Loopback addresses, checked, in the order in which they are tried; empty for a Unix socket. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly unix: string | undefined;
}

/** The target cannot be attacked: one sentence for the person at the keyboard. */
export class TargetError extends Error {
  override readonly name: string = "TargetError";
}

/** Who answers for a name. Tests put their own in its place. */
export type Lookup = (name: string) => Promise<readonly Ip[]>;

/** Reads what the user wrote, and refuses whatever is not on this machine. */
export async function findTarget(text: string, lookup: Lookup = resolve): Promise<Target> {
  if (text.startsWith("unix:")) return unixTarget(text.slice("unix:".length));
  // "localhost:8000" means http://localhost:8000, as it does to curl.
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TargetError(`${text} is no address of a server: write http://localhost:8000, https://… or unix:/path`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TargetError(`${url.protocol}//${url.host} with a name or password in it: leave them out`);
  }
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const literal = parseIp(url.hostname);
  const ips = literal === undefined ? await lookup(url.hostname) : [literal];
  const strangers = ips.filter((ip) => !isLoopback(ip));
  if (strangers.length > 0 || ips.length === 0) throw refusal(url.hostname, literal !== undefined, strangers);
  return {
    shown: `${url.protocol}//${url.host}${url.pathname}${url.search}`,
    secure,
    host: url.host,
    serverName: literal === undefined ? url.hostname : undefined,
    path: url.pathname + url.search,
    addresses: ips.map(showIp),
    port,
    unix: undefined,
  };
}

function unixTarget(path: string): Target {
  if (path === "") throw new TargetError("unix: needs a path, for example unix:/run/shop.sock");
  const common = { secure: false, host: "localhost", serverName: undefined, path: "/", addresses: [], port: 0 };
  return { ...common, shown: `unix:${path}`, unix: path };
}

/** 127.0.0.0/8 and ::1 (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), also as an IPv4-mapped address. */
export function isLoopback(ip: Ip): boolean {
  const { bytes } = ip;
  if (bytes.length === 4) return bytes[0] === 127;
  if (isMappedV4(bytes, 0)) return bytes[12] === 127;
  return ip.zone === "" && bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

function refusal(name: string, literal: boolean, strangers: readonly Ip[]): TargetError {
  const why = literal
    ? `${name} is not a loopback address`
    : strangers.length === 0
      ? `${name} has no address`
      : `${name} leads to ${strangers.map(showIp).join(", ")}, which is not a loopback address`;
  return new TargetError(
    `${why}: check attacks servers on this machine only, at 127.0.0.0/8, [::1] or unix:/path; run it where the server runs`,
  );
}

function showIp(ip: Ip): string {
  if (ip.bytes.length === 4) return ip.bytes.join(".");
  if (isMappedV4(ip.bytes, 0)) return ip.bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((ip.bytes[2 * i] << 8) | ip.bytes[2 * i + 1]).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** The address that is connected to, as messages show it. */
export function showAddressOf(target: Target, address: string): string {
  return target.unix === undefined ? showHost(address, target.port) : target.shown;
}

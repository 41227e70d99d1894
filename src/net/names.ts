/** Names of machines to IP addresses. Literals and "localhost" never ask anybody. */
import type { Constants } from "../../ffi/constants.ts";
import { lookupSync } from "../../ffi/getaddrinfo.ts";
import { NotFound } from "../runtime/errors.ts";
import { type Ip, parseIp } from "./ip.ts";

const LOOPBACK_V4: Ip = { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" };
const LOOPBACK_V6: Ip = { bytes: new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), zone: "" };

/** The address to listen on. A name is looked up while the thread waits: `listen` is synchronous, as Deno's is. */
export function resolveSync(constants: Constants, hostname: string): Ip {
  const literal = parseIp(hostname) ?? (isLocalhost(hostname) ? LOOPBACK_V4 : undefined);
  if (literal !== undefined) return literal;
  const found = lookupSync(constants, hostname);
  if (typeof found === "string" || found.length === 0) {
    throw notFound(hostname, typeof found === "string" ? found : "no address");
  }
  return { bytes: found[0], zone: "" };
}

/** All addresses to try, in the order of the system's preference (RFC 6724). The lookup runs off this thread. */
export async function resolve(hostname: string): Promise<Ip[]> {
  const literal = parseIp(hostname);
  if (literal !== undefined) return [literal];
  if (isLocalhost(hostname)) return [LOOPBACK_V4, LOOPBACK_V6];
  // Imported here: a server that never connects to a name does not load it.
  const { lookup } = await import("node:dns/promises");
  let found: { address: string }[];
  try {
    found = await lookup(hostname, { all: true, order: "verbatim" });
  } catch (error) {
    throw notFound(hostname, error instanceof Error ? error.message : String(error));
  }
  return found.map(({ address }) => parseIp(address)).filter((ip) => ip !== undefined);
}

/** RFC 6761 section 6.3: localhost and what ends in it is the loopback, and no resolver is asked. */
function isLocalhost(hostname: string): boolean {
  return /^(.+\.)?localhost\.?$/i.test(hostname);
}

function notFound(hostname: string, why: string): NotFound {
  return new NotFound(`no address for the name "${hostname}" (${why}); check its spelling, or give an IP address`);
}

/** Where a server listens, from the options that hold, and how that is shown. */
import { type ListenAddress, parseAddress, showAddress } from "../options/address.ts";
import type { ConfigEntry, Resolved } from "../options/resolve.ts";
import { failureAt, orFailure, orUsage, placeOf } from "./settings.ts";

export type { Address, ListenAddress } from "../options/address.ts";

/** Deno's default: every IPv4 interface. */
export const defaultHostname = "0.0.0.0";

/** All of them, in the order in which they were given; at least one. */
export function chooseAddresses({ settings, entries }: Resolved): readonly ListenAddress[] {
  const { listen, unix, hostname, port } = settings;
  const kind = (name: string) => entries.find((entry) => entry.name === name);
  const list = kind("listen");
  if (list !== undefined) return readAddresses(listen, list);
  if (kind("unix") !== undefined && unix !== undefined) return [{ transport: "unix", path: unix }];
  return [{ transport: "tcp", hostname, port }];
}

/** Whether anybody said where to listen. */
export function addressAsked({ entries }: Resolved): boolean {
  return entries.some(
    ({ name, source }) => ["port", "hostname", "unix", "listen"].includes(name) && source !== "default",
  );
}

function readAddresses(texts: readonly string[], entry: ConfigEntry): readonly ListenAddress[] {
  const read = () => texts.map((text) => parseAddress(text, placeOf(entry)));
  const addresses = entry.source === "file" ? orFailure(read) : orUsage(read);
  const seen = new Set<string>();
  for (const address of addresses) {
    const shown = showAddress(address);
    if (seen.has(shown)) throw failureAt(entry, `${placeOf(entry)} names ${shown} twice: give each address once`);
    // Port 0 is another one each time.
    if (address.transport !== "tcp" || address.port !== 0) seen.add(shown);
  }
  return addresses;
}

/** How an address is shown: something to click on, so "every interface" is shown as localhost. */
export function displayAddress(address: ListenAddress, scheme: "http" | "https" | "tcp" | "tls"): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  if (address.transport === "fd") return `fd:${address.fd}`;
  const { hostname, port } = address;
  const shown = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  const host = shown.includes(":") ? `[${shown}]` : shown;
  return scheme === "tcp" || scheme === "tls" ? `${scheme}://${host}:${port}` : `${scheme}://${host}:${port}/`;
}

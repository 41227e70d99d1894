/** Addresses as people write them: `:8000`, `127.0.0.1:8000`, `[::1]:8000`, `unix:/run/x.sock`, `fd:3`. */
import { OptionError, shown } from "./bounds.ts";

export type Address =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** Or a listening socket that the parent process opened: a descriptor's number, or the name that systemd's unit gave it. */
export type ListenAddress = Address | { readonly transport: "fd"; readonly fd: string };

const forms = ":8000, 127.0.0.1:8000, [::1]:8000, unix:/run/x.sock or fd:3";

/**
 * Reads an address; `what` begins the sentence of the OptionError. Without a host it is every IPv4 address, and
 * `[::]:8000` every one of both kinds.
 */
export function parseAddress(text: string, what: string): ListenAddress {
  if (text.startsWith("unix:") && text.length > 5) return { transport: "unix", path: text.slice(5) };
  const [, fd] = /^fd:([!-9;-~]{1,255})$/.exec(text) ?? [];
  if (fd !== undefined) {
    // 0 to 2 are standard input, output and error.
    if (/^\d+$/.test(fd) && !(Number(fd) > 2)) {
      throw new OptionError(`${what} must name a descriptor from 3 on, not ${shown(text)}`);
    }
    return { transport: "fd", fd };
  }
  const [, v6, name, digits] = /^(?:(?:\[([^\]]+)\]|([^:[\]/\s]*)):)?(\d{1,5})$/.exec(text) ?? [];
  if (digits === undefined) throw new OptionError(`${what} must be an address like ${forms}, not ${shown(text)}`);
  const port = Number(digits);
  if (port > 65535) throw new OptionError(`${what} must have a port from 0 (any free one) to 65535, not ${port}`);
  return { transport: "tcp", hostname: v6 || name || "0.0.0.0", port };
}

/** The same, the other way round. */
export function showAddress(address: ListenAddress): string {
  switch (address.transport) {
    case "unix":
      return `unix:${address.path}`;
    case "fd":
      return `fd:${address.fd}`;
    case "tcp":
      return `${address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname}:${address.port}`;
  }
}

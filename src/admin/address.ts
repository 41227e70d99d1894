/**
 * Where the admin port may be. Its pages show how a program is built and how busy it is, so by default it is reached
 * from this machine only: a loopback address, or a Unix socket.
 */
import { type Ip, parseIp } from "../net/ip.ts";
import { AdminError } from "./errors.ts";

export type AdminAddress =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

const EXAMPLES = "for example 127.0.0.1:9090, [::1]:9090 or unix:/run/admin.sock";

/** Reads `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090`, `:9090` (every interface) and `unix:/run/x.sock`. */
export function parseAdminAddress(text: string): AdminAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw new AdminError(`--admin ${text} has no path: write ${EXAMPLES}`);
    return { transport: "unix", path };
  }
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]*)\]|([^:[\]/@\s]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = digits === undefined ? Number.NaN : Number(digits);
  if (!(port <= 65535) || (bracketed !== undefined && !bracketed.includes(":"))) {
    const alone = /^\d{1,5}$/.test(text) ? `127.0.0.1:${text}` : undefined;
    const cure = alone === undefined ? `write ${EXAMPLES}` : `write ${alone} for this machine only`;
    throw new AdminError(`--admin ${text || '""'} is no address with a port: ${cure}`);
  }
  return { transport: "tcp", hostname: bracketed ?? (plain || "::"), port };
}

/** Refuses what other machines could reach, unless that is what was asked for. `ip` is what the name stands for. */
export function checkReach(text: string, { bytes }: Ip, insecure: boolean): void {
  if (insecure || isLoopback(bytes)) return;
  throw new AdminError(
    `--admin ${text} can be reached from other machines, and whoever reaches it reads metrics, tasks and settings: ` +
      "use 127.0.0.1 or [::1], or a Unix socket, or allow it with --admin-insecure where a firewall or network policy guards the port",
  );
}

/** 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::1 (RFC 4291, 2.5.3), and the former as IPv6 writes it. */
export function isLoopback(bytes: Uint8Array): boolean {
  if (bytes.length === 4) return bytes[0] === 127;
  const zeros = bytes.subarray(0, 10).every((byte) => byte === 0);
  if (zeros && bytes[10] === 0xff && bytes[11] === 0xff) return bytes[12] === 127;
  return zeros && bytes.subarray(10, 15).every((byte) => byte === 0) && bytes[15] === 1;
}

/**
 * Whose name a request may be for. A page in the operator's browser can make requests to the admin port under a name
 * of its own that it has pointed here (DNS rebinding), and so read the answers; addresses and "localhost" cannot be
 * pointed. `given` is the name that the operator chose, if it is one.
 */
export function mayAsk(hostname: string, given: string | undefined): boolean {
  if (parseIp(hostname) !== undefined) return true;
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") || name === given?.toLowerCase().replace(/\.$/, "");
}

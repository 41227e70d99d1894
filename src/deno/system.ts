/** The machine, as `Deno` tells of it: names, addresses, memory, DNS. Everything is asked when called. */
import { NotFound } from "../runtime/errors.ts";

const os = () => process.getBuiltinModule("node:os");

export const hostname = (): string => os().hostname();
export const osRelease = (): string => os().release();
export const osUptime = (): number => Math.floor(os().uptime());
export const loadavg = (): number[] => os().loadavg();

/** In bytes. Node tells of no swap and no buffers; on Linux /proc/meminfo does. */
export function systemMemoryInfo(): Record<string, number> {
  const info = { total: os().totalmem(), free: os().freemem(), available: os().freemem() };
  const more = { buffers: 0, cached: 0, swapTotal: 0, swapFree: 0 };
  try {
    const text = process.getBuiltinModule("node:fs").readFileSync("/proc/meminfo", "utf8");
    const read = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
    return {
      total: read("MemTotal"),
      free: read("MemFree"),
      available: read("MemAvailable"),
      buffers: read("Buffers"),
      cached: read("Cached"),
      swapTotal: read("SwapTotal"),
      swapFree: read("SwapFree"),
    };
  } catch {
    return { ...info, ...more };
  }
}

export function networkInterfaces(): object[] {
  return Object.entries(os().networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ family, address, netmask, cidr, mac, scopeid }) => ({
      family,
      name,
      address,
      netmask,
      scopeid: scopeid ?? null,
      cidr,
      mac,
    })),
  );
}

type Resolver = import("node:dns").promises.Resolver;

interface ResolveOptions {
  nameServer?: { ipAddr: string; port?: number };
  signal?: AbortSignal;
}

/** `Deno.resolveDns`: the records of a name, in Deno's shapes. */
export async function resolveDns(query: string, recordType: string, options: ResolveOptions = {}): Promise<unknown[]> {
  const { nameServer, signal } = options;
  const resolve = recordTypes[recordType];
  if (resolve === undefined) {
    const known = Object.keys(recordTypes).join(", ");
    throw new TypeError(`Deno.resolveDns: record type ${recordType} is not supported by Slipway; there are ${known}`);
  }
  signal?.throwIfAborted();
  const resolver = new (await import("node:dns")).promises.Resolver();
  if (nameServer !== undefined) {
    const { ipAddr, port = 53 } = nameServer;
    resolver.setServers([ipAddr.includes(":") ? `[${ipAddr}]:${port}` : `${ipAddr}:${port}`]);
  }
  const aborted = Promise.withResolvers<never>();
  const abort = () => {
    resolver.cancel();
    aborted.reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([resolve(resolver, query), aborted.promise]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTFOUND" || code === "ENODATA") {
      throw new NotFound(`no record found for Query { name: ${query}, type: ${recordType} }`);
    }
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

const recordTypes: Record<string, (resolver: Resolver, name: string) => Promise<unknown[]>> = {
  // RFC 6761, 6.3: these names are this machine, and no name server needs to know them.
  A: async (resolver, name) => (isLocalhost(name) ? ["127.0.0.1"] : resolver.resolve4(name)),
  AAAA: async (resolver, name) => (isLocalhost(name) ? ["::1"] : resolver.resolve6(name)),
  CNAME: async (resolver, name) => (await resolver.resolveCname(name)).map(absolute),
  NS: async (resolver, name) => (await resolver.resolveNs(name)).map(absolute),
  PTR: async (resolver, name) => (await resolver.resolvePtr(name)).map(absolute),
  TXT: (resolver, name) => resolver.resolveTxt(name),
  MX: async (resolver, name) =>
    (await resolver.resolveMx(name)).map(({ priority, exchange }) => ({
      preference: priority,
      exchange: absolute(exchange),
    })),
  SRV: async (resolver, name) =>
    (await resolver.resolveSrv(name)).map(({ priority, weight, port, name: target }) => ({
      priority,
      weight,
      port,
      target: absolute(target),
    })),
  NAPTR: async (resolver, name) =>
    (await resolver.resolveNaptr(name)).map(({ order, preference, flags, service, regexp, replacement }) => ({
      order,
      preference,
      flags,
      services: service,
      regexp,
      replacement: absolute(replacement),
    })),
  CAA: async (resolver, name) =>
    (await resolver.resolveCaa(name)).map(({ critical, ...property }) => {
      const [[tag, value] = []] = Object.entries(property).filter(([key]) => key !== "type");
      return { critical: critical >= 128, tag, value };
    }),
  SOA: async (resolver, name) => {
    const { nsname, hostmaster, serial, refresh, retry, expire, minttl } = await resolver.resolveSoa(name);
    return [{ mname: absolute(nsname), rname: absolute(hostmaster), serial, refresh, retry, expire, minimum: minttl }];
  },
};

function isLocalhost(name: string): boolean {
  return /(^|\.)localhost\.?$/i.test(name);
}

/** Deno writes names in answers with the root's dot. */
function absolute(name: string): string {
  return name.endsWith(".") ? name : `${name}.`;
}

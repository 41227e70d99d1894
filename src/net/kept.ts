/**
 * Connections that this process's own clients keep for their next call. A server of the same process that ends says so
 * here: it waits `drainIdle` for requests that may be on their way, and only the client knows that none is.
 */
import type { Addr } from "./address.ts";

/** Told of a server's address when it accepts no more. */
export type Keeper = (addr: Addr) => void;

/** Who keeps connections now. */
export const keepers = new Set<Keeper>();

export function serverEnds(addr: Addr): void {
  for (const keeper of [...keepers]) keeper(addr);
}

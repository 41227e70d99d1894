/** What other runtimes' defaults do with the same attacks: measured, dated, never from their documentation. */

import type { Verdict } from "./attack.ts";
import table from "./peers.json" with { type: "json" };

export interface PeerTable {
  readonly date: string;
  /** What it was measured on, in a few words. */
  readonly machine: string;
  readonly peers: readonly Peer[];
}

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Why there is nothing of it: "not measured here". */
  readonly missing?: string;
  readonly results: Readonly<Record<string, { readonly verdict: Verdict; readonly came: string }>>;
}

export function peerTable(): PeerTable {
  return table as unknown as PeerTable;
}

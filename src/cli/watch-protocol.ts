/**
 * What `run --watch` and its children say to each other, over Node's IPC channel. A child is
 * born with the parent's listening sockets as descriptors 4, 5, … and their addresses in SLIPWAY_WATCH_CHILD.
 *
 *     parent                             child
 *     load (program, flags, args)  →
 *                                  ←     ready (what it listens on), or
 *                                  ←     want (an address that it was not given), and exits, or
 *                                        exits, having said why on stderr
 *     drain                        →
 *                                  ←     stopped (accepting)
 *                                        finishes what runs, exits
 */
import type { Bundle } from "../bundle/mod.ts";
import type { Address, Wish } from "./address.ts";

export const firstInheritedFd = 4;

export type ToChild =
  | {
      readonly type: "load";
      readonly bundle: Bundle;
      readonly entry: string;
      readonly file: string;
      readonly flags: Wish;
      readonly args: readonly string[];
    }
  | { readonly type: "drain" };

export type ToParent =
  /** What it listens on, and how that is shown; neither is known of a plain program. */
  | { readonly type: "ready"; readonly shown?: string; readonly address?: Address }
  | { readonly type: "want"; readonly address: Address }
  | { readonly type: "stopped" };

export function sameAddress(a: Address, b: Address): boolean {
  if (a.transport === "unix") return b.transport === "unix" && a.path === b.path;
  return b.transport === "tcp" && a.port === b.port && a.hostname === b.hostname;
}

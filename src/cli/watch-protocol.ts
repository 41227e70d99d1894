/**
 * What `run --watch` and its children say to each other, over Node's IPC channel. A child is
 * born with the parent's listening sockets as descriptors 4, 5, … and their addresses in SLIPWAY_WATCH_CHILD.
 *
 *     parent                             child
 *     load (program, flags, args)  →
 *                                  ←     ready (what it listens on), or
 *                                  ←     want (an address that it was not given), and exits, or
 *                                        exits, having said why on stderr
 *     closeInspector               →     as another version will want its port
 *                                  ←     inspectorClosed
 *     openInspector                →     that version did not start
 *     hangup                       →     SIGHUP came: reads its files again
 *     drain                        →
 *                                  ←     stopped (accepting)
 *                                        finishes what runs, exits
 */
import type { Bundle } from "../bundle/mod.ts";
import type { Level } from "../options/resolve.ts";
import type { ListenAddress } from "./address.ts";
import type { RunMode } from "./dev/mode.ts";

export const firstInheritedFd = 4;

export type ToChild =
  | {
      readonly type: "load";
      readonly bundle: Bundle;
      readonly entry: string;
      readonly file: string;
      /** What the command line asks for; the environment is inherited. */
      readonly flags: Level;
      readonly args: readonly string[];
      readonly mode: RunMode;
      /** What the versions before have announced. */
      readonly announced: readonly string[];
    }
  | { readonly type: "closeInspector" | "openInspector" }
  | { readonly type: "hangup" }
  | { readonly type: "drain" };

export type ToParent =
  /**
   * What it listens on, and how that is shown, which nobody knows of a plain program; and how long it may take to
   * finish, in milliseconds.
   */
  | {
      readonly type: "ready";
      readonly shown?: readonly string[];
      /** What to write of that. */
      readonly lines?: readonly string[];
      readonly addresses?: readonly ListenAddress[];
      readonly drainTimeout?: number;
      /** What this version has announced on its own standard error, with what was before. */
      readonly announced: readonly string[];
    }
  | { readonly type: "want"; readonly address: ListenAddress }
  | { readonly type: "inspectorClosed" }
  | { readonly type: "stopped" };

export function sameAddress(a: ListenAddress, b: ListenAddress): boolean {
  if (a.transport === "unix") return b.transport === "unix" && a.path === b.path;
  if (a.transport === "fd") return b.transport === "fd" && a.fd === b.fd;
  return b.transport === "tcp" && a.port === b.port && a.hostname === b.hostname;
}

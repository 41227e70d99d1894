/** What the host of a web worker and its thread share and say to each other, beside what the program's two sides do. */
import type { MessagePort } from "node:worker_threads";
import type { Bundle } from "../../bundle/mod.ts";
import type { WorkerBundles } from "../../bundle/worker-programs.ts";
import type { Level } from "../../options/resolve.ts";

/** Slots of `control`. STOP: it shall end, and begin nothing more. */
export const STOP = 0;
/** It, or a worker of its own, has used the network: only it can let go of that (thread.ts). */
export const NETWORK = 1;
/** Nothing of ours is left in it. */
export const ENDED = 2;
/** The descriptor that the host's loop watches in it, and 1. */
export const WATCHED = 3;
export const SLOTS = 4;

export type Control = Int32Array;

/** What is run: text for Node's own loader, a bundle, or a part of the executable by its id. */
export type Runs =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bundle"; readonly bundle: Bundle }
  | { readonly kind: "part"; readonly id: string };

export interface WebWorkerData {
  readonly url: string;
  readonly name: string;
  readonly runs: Runs;
  readonly port: MessagePort;
  /** Its own, then that of the worker which made it, and so on. */
  readonly controls: readonly Control[];
  readonly argv: readonly string[];
  readonly flags: Level;
  /** How messages name us. */
  readonly program: string;
  /** Workers that it may make: what was bundled with the program. */
  readonly bundles: WorkerBundles;
  /** Whether a bundler can be asked for more. */
  readonly bundler: boolean;
}

export type ToHost =
  /** What it has of the system from here on: for who cleans up behind it. */
  | { readonly say: "network"; readonly owners: SharedArrayBuffer; readonly holdings: SharedArrayBuffer }
  | { readonly say: "server" }
  | { readonly say: "drained"; readonly cut: number }
  /** `known`: for a part of its program that is imported late; else a worker's program. */
  | { readonly say: "bundle"; readonly id: number; readonly file: string; readonly known?: ReadonlySet<string> };

export type ToThread =
  | { readonly say: "stop" }
  | { readonly say: "drain" }
  | { readonly say: "bundled"; readonly id: number; readonly bundle?: Bundle; readonly error?: string };

/**
 * What the main thread and its workers say to each other.
 *
 *     main                                   worker
 *     (starts it, with WorkerData)
 *                                       ←    call: listen, a socket by what was asked for; it waits for the answer
 *                                       ←    call: serving is about to begin, with options and names of checks
 *                                       ←    serving, or loaded (a program that serves nothing yet)
 *     ask (metrics, tasks, a check)     →
 *                                       ←    told
 *     drain                             →
 *                                       ←    drained
 *                                       ←    exit (the program asks for the end), failed (it could not start) or
 *                                            died (an error that nobody caught): the thread ends by itself
 */
import type { Bundle } from "../bundle/mod.ts";
import type { ListenOptions } from "../net/listen.ts";
import type { Addr } from "../net/mod.ts";
import type { Level, Resolved } from "../options/resolve.ts";
import type { TaskRow } from "../runtime/task-table.ts";
import type { FamilySamples } from "./merge.ts";

export interface WorkerData {
  /** 1, 2, …: also in the table of owners. */
  readonly number: number;
  readonly shared: SharedArrayBuffer;
  readonly owners: SharedArrayBuffer;
  readonly holdings: SharedArrayBuffer;
  /** This worker's end of the pair of sockets by which it is woken. */
  readonly wake: number;
  /** Answers to calls come here, since they are waited for without a turn of the loop. */
  readonly answers: import("node:worker_threads").MessagePort;
  /** What an executable has loaded koffi by. */
  readonly koffi: string | undefined;
  /** How messages name the program, and us. */
  readonly file: string;
  readonly program: string;
  readonly flags: Level;
  readonly argv: readonly string[];
  /** The program; absent in an executable, which has it in itself. */
  readonly bundle: Bundle | undefined;
  /** Sockets that systemd passed: where a program's server listens that names no address. */
  readonly activated: readonly number[];
  /** Whether lines that one thread is enough for are this one's: where it listens, what is doubtful. */
  readonly speaks: boolean;
}

/** A check of readiness, by name; the function stays in the worker. */
export interface CheckName {
  readonly name: string;
  readonly timeout?: number | string;
}

/** How a socket is asked for: by address, as the program wrote it, or as the options say. */
export type Wanted =
  | { readonly by: "program"; readonly options: ListenOptions; readonly loading: boolean }
  | { readonly by: "options"; readonly address: import("../options/address.ts").ListenAddress };

export type Call =
  | { readonly call: "listen"; readonly wanted: Wanted; readonly nth: number }
  | { readonly call: "opening"; readonly resolved: Resolved; readonly ready: readonly CheckName[] | undefined }
  /** No more connections of this listener for this worker; `all`: the whole server ends. */
  | { readonly call: "stop"; readonly listener: number; readonly all: boolean };

export type Answer =
  | { readonly ok: true; readonly value?: Fed | boolean }
  | { readonly ok: false; readonly name: string; readonly message: string; readonly code?: string };

/** A listener that the main thread accepts on. */
export interface Fed {
  readonly listener: number;
  readonly addr: Addr;
}

export type ToMain =
  | { readonly type: "call"; readonly call: Call }
  | { readonly type: "accept"; readonly listener: number; readonly on: boolean }
  | { readonly type: "limit"; readonly listener: number; readonly most: number }
  | { readonly type: "close"; readonly listener: number }
  | { readonly type: "ended" }
  | { readonly type: "server" }
  | { readonly type: "serving"; readonly shown: readonly string[]; readonly drainTimeout: number }
  /** `alone`: it serves with node:http, which cannot be shared. */
  | { readonly type: "loaded"; readonly listening: boolean; readonly alone: boolean }
  | { readonly type: "told"; readonly id: number; readonly what: Told }
  | { readonly type: "drained"; readonly cut: number; readonly tasks: number; readonly failed: boolean }
  | { readonly type: "exit"; readonly code: number }
  | { readonly type: "failed"; readonly text: string; readonly code: number }
  | { readonly type: "died"; readonly reason: string; readonly families?: readonly FamilySamples[] };

export type Ask =
  /** `forMs`: for how long somebody is going to look, if not as long as a scraper. */
  | { readonly ask: "metrics"; readonly forMs?: number }
  | { readonly ask: "tasks" }
  | { readonly ask: "check"; readonly name: string };

export type Told =
  | { readonly families: readonly FamilySamples[] }
  | { readonly tasks: readonly TaskRow[] }
  | { readonly passed: boolean; readonly reason?: string };

export type ToWorker =
  | { readonly type: "ask"; readonly id: number; readonly what: Ask }
  | { readonly type: "forget"; readonly id: number }
  | { readonly type: "drain" };

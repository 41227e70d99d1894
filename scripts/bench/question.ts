// What a benchmark question is. Each lives in a file of its own in questions/
// and says everything about itself: the same handler for every peer, what is
// asked of it, and what one sample is.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "./server.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/**
 * One program in each peer's own terms. The functions are written to files by
 * their source text, so they must be self-contained, but for what `prelude`
 * brings.
 */
export interface Handlers {
  /** The first lines of each JavaScript program, as text: imports, and what the requests share. */
  readonly prelude?: string;
  /** For ours, Deno and Bun alike. Its `length` matters: a handler that takes no argument needs no Request. */
  readonly fetch: Fetch;
  /** For Bun, where it has a way of its own that everybody would take. */
  readonly bun?: Fetch;
  readonly node: (request: IncomingMessage, response: ServerResponse) => void;
  /** The mode of the C programs that does the same; null when they have none. */
  readonly c: CMode | null;
  /** The mode of peers/server.go that does the same; without it Go is left out. */
  readonly go?: string;
  /** Served with TLS (peer.ts), and HTTP/2 where it is asked for. */
  readonly tls?: Tls;
  /** With a key of RSA-2048 instead of P-256. */
  readonly rsa?: boolean;
  /** More of Bun's options, as text. */
  readonly bunOptions?: string;
}

/** Which version of HTTP is asked for; matters to who has another server for each. */
export type Tls = "http/1.1" | "h2";

/** The first three are epoll.c's and uring.c's, the others bodies.c's. */
export type CMode = "plaintext" | "json" | "close" | "echo" | "upload" | "download" | "file";

export interface Settings {
  /** Seconds one sample lasts. */
  readonly seconds: number;
  readonly serverCore: number | null;
  readonly loadCore: number | null;
  /** Smaller numbers will do, as long as every part of the question is asked. */
  readonly quick: boolean;
}

/** `value` in the question's unit, and what else was seen, by column. */
export interface Sample {
  readonly value: number;
  readonly extra: Readonly<Record<string, number>>;
}

export interface Subject {
  readonly peer: string;
  /** Already running and warm, shared by all rounds; or not started at all when the question is `fresh`. */
  readonly server: Server | null;
  /** What serves the question's handler on a port: for startServer, by who needs a server for one sample only. */
  readonly command: (port: number) => string[];
}

export interface Column {
  readonly key: string;
  readonly label: string;
  readonly digits: number;
}

export interface Question {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Whether a bigger figure is the better one; a smaller one is when not said. */
  readonly better?: "higher";
  readonly handlers: Handlers;
  /** Each sample starts its own server. */
  readonly fresh?: boolean;
  /** Nothing carries over from one sample to the next, so the discarded first one is left out. */
  readonly cold?: boolean;
  /** The servers may use every core, and so may the load generator. */
  readonly unpinned?: boolean;
  /** Asked when --peers does not say. */
  readonly peers?: readonly string[];
  readonly rounds?: number;
  /** Whom the table's ratios are against; Deno and C when not said. */
  readonly against?: readonly string[];
  /** Decimals of the figure; 2 when not said. */
  readonly digits?: number;
  readonly extra: readonly Column[];
  /** What is asked again and again, where it is one request. */
  readonly asked?: { readonly request: string; readonly body: number };
  /** The column that the table compares as well: throughput, where CPU is not all that counts. */
  readonly ratioOf?: string;
  /** Why it can't be asked on this machine. */
  missing?(): string | undefined;
  /** Makes what the handlers need, e.g. a file that an environment variable names; returns what takes it away. */
  prepare?(directory: string, settings: Settings): Promise<() => Promise<void>>;
  /** What warms a server, where a sample would take too long. */
  warm?(subject: Subject, settings: Settings): Promise<unknown>;
  measure(subject: Subject, settings: Settings): Promise<Sample>;
}

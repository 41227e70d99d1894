// What a benchmark question is. Each lives in a file of its own in questions/
// and says everything about itself: the same handler for every peer, what is
// asked of it, and what one sample is.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "./server.ts";

/**
 * One program in each peer's own terms. The functions are written to files by
 * their source text, so they must be self-contained.
 */
export interface Handlers {
  /** For ours, Deno and Bun alike. Its `length` matters: a handler that takes no argument needs no Request. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly node: (request: IncomingMessage, response: ServerResponse) => void;
  /** The mode of peers/epoll.c that does the same; null when it has none. */
  readonly c: "plaintext" | "json" | null;
}

export interface Settings {
  /** Seconds one sample lasts. */
  readonly seconds: number;
  readonly serverCore: number | null;
  readonly loadCore: number | null;
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

export interface Question {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly handlers: Handlers;
  /** Each sample starts its own server. */
  readonly fresh?: boolean;
  /** Nothing carries over from one sample to the next, so the discarded first one is left out. */
  readonly cold?: boolean;
  /** Asked when --peers does not say. */
  readonly peers?: readonly string[];
  readonly rounds?: number;
  /** Whom the table's ratios are against; Deno and C when not said. */
  readonly against?: readonly string[];
  /** Decimals of the figure; 2 when not said. */
  readonly digits?: number;
  readonly extra: readonly { readonly key: string; readonly label: string; readonly digits: number }[];
  measure(subject: Subject, settings: Settings): Promise<Sample>;
}

/** What an attack is, and what it may use. */
import { type Answer, readAnswers } from "./answers.ts";
import type { End, Wire, Wires } from "./wire.ts";

export const families = {
  slow: "Slow clients",
  limits: "Limits",
  framing: "Framing and smuggling",
  load: "Floods and resets",
  http: "HTTP manners",
  tls: "TLS",
  drain: "Drain",
} as const;
export type Family = keyof typeof families;

/**
 * pass: as it should be. warn: allowed by the letter, or unproven, and worth a look. fail: it would hurt in production.
 * skip: not tried, `came` says why; it counts for nothing.
 */
export type Verdict = "pass" | "warn" | "fail" | "skip";

export interface Outcome {
  readonly verdict: Verdict;
  /** What came, in one line. */
  readonly came: string;
}

export interface Attack {
  /** Stable: `framing/cl-te`. */
  readonly id: string;
  readonly family: Family;
  readonly name: string;
  /** The clause that it is judged by. */
  readonly rule: string;
  /** What was sent, in one line. */
  readonly sent: string;
  /** What is acceptable, in one line. */
  readonly want: string;
  /** `waiting`: is idle most of its time, all such run beside the others. `alone`: measures, so nothing else may run. */
  readonly pace: "waiting" | "brisk" | "alone" | "last";
  /** Whether `--quick` has it too. */
  readonly quick: boolean;
  run(context: Context): Promise<Outcome>;
}

/** How the server answers an ordinary request: what an attack's answers are compared with. */
export interface Baseline {
  readonly status: number;
  /** Bytes of the shortest request for it, and of the whole answer. */
  readonly requestBytes: number;
  readonly bytes: number;
  /** POST, or GET where the server refuses every POST. */
  readonly bodyMethod: "POST" | "GET";
}

export interface Context {
  readonly wires: Wires;
  readonly host: string;
  readonly path: string;
  /** A path that reads a request's body; `path` when none was named. */
  readonly uploadPath: string;
  /** A path that answers with 16 MiB or more, if one was named. */
  readonly largePath: string | undefined;
  readonly pid: number | undefined;
  readonly quick: boolean;
  readonly baseline: Baseline;
  /** Aborted when the check's time is up, and by Ctrl-C. */
  readonly signal: AbortSignal;
}

export const pass = (came: string): Outcome => ({ verdict: "pass", came });
export const warn = (came: string): Outcome => ({ verdict: "warn", came });
export const fail = (came: string): Outcome => ({ verdict: "fail", came });
export const skip = (came: string): Outcome => ({ verdict: "skip", came });

/** Answers by which a server refuses a request for its form, whatever its handler may answer otherwise. */
const REFUSALS = new Set([400, 408, 411, 413, 414, 417, 421, 426, 431, 501, 505]);

export function isRefusal(answer: Answer): boolean {
  return REFUSALS.has(answer.status);
}

/** What was seen on one connection. */
export interface Seen {
  readonly answers: readonly Answer[];
  readonly interim: readonly number[];
  readonly end: End | undefined;
  readonly seconds: number;
  readonly bytes: Uint8Array;
}

/** Sends `data` on a connection of its own, and reads until the server ends it or `ms` have passed. */
export async function exchange(
  context: Context,
  data: string | Uint8Array,
  ms: number,
  methods: readonly string[] = [],
): Promise<Seen> {
  using wire = (await context.wires.open()).read();
  void wire.send(data);
  await wire.ended(ms);
  return seen(wire, methods);
}

export function seen(wire: Wire, methods: readonly string[] = []): Seen {
  const { final, interim } = readAnswers(wire.bytes, methods, wire.end === "closed");
  return { answers: final, interim, end: wire.end, seconds: wire.age / 1000, bytes: wire.bytes };
}

/** "400, closed", "200 200, still open after 3.0 s", "no answer, reset". */
export function describe({ answers, end, seconds }: Seen): string {
  const statuses = answers.map(({ status, whole }) => `${status}${whole ? "" : " (cut)"}`);
  const shown = statuses.length > 6 ? [...statuses.slice(0, 5), `… (${statuses.length} answers)`] : statuses;
  const fate = end ?? "still open";
  const when = seconds < 0.5 ? "" : ` after ${showSeconds(seconds)}`;
  return `${shown.length === 0 ? "no answer" : shown.join(" ")}, ${fate}${when}`;
}

export function showSeconds(seconds: number): string {
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

export function showMiB(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return `${mib < 10 ? mib.toFixed(1) : Math.round(mib)} MiB`;
}

/** Waits, less when the check ends. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/**
 * What holds the main thread, asked in the middle of it: the function that the stall monitor's worker has evaluated
 * there. It only reads; what it finds is kept for the line that the main thread logs when it is free again.
 */
import { requestContext } from "./request-context.ts";
import { authorFrames } from "./stack-frames.ts";
import { holder, showHolder } from "./stall-clock.ts";

const KEY = "slipway.stall";
/** The expression that asks. */
export const ASK: string = `globalThis[Symbol.for("${KEY}")]?.()`;

/** Callers that are told beside the line itself. */
const FRAMES = 3;

/** What was found, until it is used. */
export interface Sighting {
  readonly at: number;
  /** `GET /report`, `task "pump" of GET /`. */
  readonly by: string | undefined;
  /** Innermost first, `block (/srv/app.ts:3:7)`. */
  readonly frames: readonly string[];
}

let sighting: Sighting | undefined;

/** Makes the question answerable. */
export function answerStalls(): void {
  Object.defineProperty(globalThis, Symbol.for(KEY), { value: sight, configurable: true });
}

/** The last sighting, if it was made at or after `since`; gone then. */
export function takeSighting(since: number): Sighting | undefined {
  const taken = sighting;
  sighting = undefined;
  return taken !== undefined && taken.at >= since ? taken : undefined;
}

/** File names may hold anything, letters of all languages too: only what a terminal obeys is taken out. */
function plainFrame(frame: string): string {
  return frame.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

/** Answers in words for the worker's own line. */
function sight(): string {
  const before = Error.stackTraceLimit;
  // Below us are the evaluation and, with blocking calls of Node's own, several frames of it.
  Error.stackTraceLimit = 30;
  const place: { stack?: string } = {};
  Error.captureStackTrace(place, sight);
  let frames: string[] = [];
  try {
    frames = authorFrames(String(place.stack), FRAMES);
  } catch {
    // The program's own Error.prepareStackTrace failed.
  }
  Error.stackTraceLimit = before;
  const request = requestContext.current;
  const by = holder ?? request;
  const task = by !== request && request !== undefined ? ` of ${showHolder(request)}` : "";
  const named = by === undefined ? undefined : `${showHolder(by)}${task}`;
  sighting = { at: performance.now(), by: named, frames };
  return `${named === undefined ? "" : ` by ${named}`}${frames.length > 0 ? ` at ${frames.map(plainFrame).join(", ")}` : ""}`;
}

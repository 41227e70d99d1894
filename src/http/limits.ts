/** Every bound of an HTTP/1.1 connection, with its default: those of the option table, and a few that nobody sets. */
import { defaultLimits as defaults, type Limits as Options } from "../options/limits.ts";

/** Bytes, counts and milliseconds; Infinity where there is no limit. */
export interface Limits extends Readonly<Options> {
  /** Pipelined bytes kept while a request is being answered; receiving pauses beyond. */
  readonly maxPipelinedBytes: number;
  /** Body bytes kept for a handler that reads more slowly than the client sends; receiving pauses beyond. */
  readonly bodyHighWater: number;
  /** Body bytes that are read and dropped after an early answer, to keep the connection; it is closed beyond. */
  readonly maxDiscardedBytes: number;
}

export const defaultLimits: Limits = {
  ...defaults,
  maxPipelinedBytes: 64 * 1024,
  bodyHighWater: 64 * 1024,
  maxDiscardedBytes: 256 * 1024,
};

/** What one request may have for itself: set by the handler's info, or by the server's `limits` hook. */
export interface RequestLimits {
  readTimeout?: number;
  writeTimeout?: number;
  /** Bytes a second; 0 makes both timeouts absolute. */
  minRate?: number;
  maxBodyBytes?: number;
}

/** Every bound of an HTTP/1.1 connection, with its default. Bytes, counts and milliseconds. */
export interface Limits {
  /** A request's head, from its first byte to the empty line; 431 beyond. */
  readonly maxHeaderBytes: number;
  /** Field lines of a request; 431 beyond. */
  readonly maxHeaderCount: number;
  /** How long a connection may wait for a request to begin or go on; then it is closed. */
  readonly idleTimeout: number;
  /** Pipelined bytes kept while a request is being answered; receiving pauses beyond. */
  readonly maxPipelinedBytes: number;
  /** Body bytes kept for a handler that reads more slowly than the client sends; receiving pauses beyond. */
  readonly bodyHighWater: number;
  /** Body bytes that are read and dropped after an early answer, to keep the connection; it is closed beyond. */
  readonly maxDiscardedBytes: number;
}

export const defaultLimits: Limits = {
  maxHeaderBytes: 1024 * 1024,
  maxHeaderCount: 256,
  idleTimeout: 120_000,
  maxPipelinedBytes: 64 * 1024,
  bodyHighWater: 64 * 1024,
  maxDiscardedBytes: 256 * 1024,
};

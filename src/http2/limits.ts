/** Every bound of an HTTP/2 connection that is not one of HTTP/1.1's (`src/http/limits.ts`): none is an option. */

/**
 * Streams at once. Those that the client has reset count for as long as their handlers run: without that, a client that
 * opens and resets has as many handlers at work as it likes (CVE-2023-44487).
 */
export const MAX_STREAMS = 100;

/**
 * What a stream may send us at first (SETTINGS_INITIAL_WINDOW_SIZE): the protocol's own value, which a client may rely
 * on before it has read ours.
 */
export const STREAM_WINDOW = 65_535;
/** Windows of streams grow up to this as their readers keep up. */
export const STREAM_WINDOW_MAX = 1024 * 1024;
/** What all bodies of a connection together may have waiting for their handlers: its own window. */
export const CONNECTION_WINDOW = 4 * 1024 * 1024;

/** How long a client may take for what only HTTP/2 asks of it, in milliseconds. */
export interface Timing {
  /** To acknowledge our SETTINGS (RFC 9113, 6.5.3). */
  readonly settingsAck: number;
  /** A connection with open streams that says nothing for so long is asked with a PING whether it is there. */
  readonly quiet: number;
  /** And has this long to answer. */
  readonly pingAck: number;
}

export const defaultTiming: Timing = { settingsAck: 10_000, quiet: 30_000, pingAck: 15_000 };

/** Header blocks of this many bytes are not decoded any more: that is a flood, and no head. */
export const MAX_BLOCK = 2 * 1024 * 1024;

/** Bytes of frames that wait for a client that reads nothing. We read nothing more from it, beyond. */
export const MAX_WAITING = 16 * 1024;
/** Then what was on its way may still come: a connection that gets to this is cut. */
export const MOST_WAITING = 256 * 1024;

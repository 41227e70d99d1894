/** The bounds of every WebSocket, from the option table (src/options/table.ts). */

/** Bytes and milliseconds; Infinity where there is no limit. */
export interface WebSocketSettings {
  /** Without a word from the client for half of it, it is asked; for all of it, it is gone. */
  readonly idleTimeout: number;
  /** How long a message may take from its first byte to its last; bytes that come at `minRate` extend it. */
  readonly messageTimeout: number;
  /** Bytes a second; 0 makes it absolute. */
  readonly minRate: number;
  /** How long the client may take to answer our close frame. */
  readonly closeTimeout: number;
  /** How long a client may leave what is sent to it unread. */
  readonly writeTimeout: number;
  readonly maxMessage: number;
  readonly maxFrame: number;
  /** Bytes that may wait to be sent to one client. */
  readonly maxBuffered: number;
  /** Whether compression is agreed to when a client offers it. */
  readonly compression: boolean;
  /** What all windows of compression together may take, for each thread. */
  readonly memory: number;
}

const MIB = 1024 * 1024;

export const DEFAULTS: WebSocketSettings = {
  idleTimeout: 120_000,
  messageTimeout: 30_000,
  minRate: 4096,
  closeTimeout: 5_000,
  writeTimeout: 30_000,
  maxMessage: 16 * MIB,
  maxFrame: 16 * MIB,
  maxBuffered: 16 * MIB,
  compression: true,
  memory: 64 * MIB,
};

let current: WebSocketSettings = DEFAULTS;

export function webSocketSettings(): WebSocketSettings {
  return current;
}

/** What flags, environment and file say; for sockets that open from here on. */
export function setWebSocketSettings(settings: WebSocketSettings): void {
  current = settings;
}

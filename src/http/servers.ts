/** The HTTP servers of this process, for whoever looks at them from outside: metrics, readiness. */

import type { CertificateFacts } from "../tls/context.ts";

/** What can be seen of a server. */
export interface ServerState {
  /** Connections open now, those among them that are at work, and the requests that those are at work on. */
  readonly connections: number;
  readonly busy: number;
  readonly active: number;
  /** It ends: answers carry `Connection: close`. */
  readonly draining: boolean;
  /** It takes connections: false at its limit, without descriptors, and when its listener is closed. */
  readonly accepting: boolean;
  /** Connections whose TLS handshake is not done, and the certificates that are shown in them. */
  readonly handshaking: number;
  readonly certificates: readonly CertificateFacts[];
}

/** Added when a server starts, taken out when its last connection has closed. @internal */
export const known = new Set<ServerState>();

/** Every server but those that keep counters of their own. */
export function servers(): Iterable<ServerState> {
  return known;
}

/**
 * TLS sessions to go on with: a server's tickets, each for one connection (RFC 8446, C.4: who uses one twice can be told
 * to be the same). One is kept for each server, 256 at most in a thread; a session is 2 to 4 KB.
 */
import type { Pointer } from "../../ffi/openssl.ts";
import { openSslClient } from "../../ffi/openssl-client.ts";

const KEPT = 256;
const sessions = new Map<string, Pointer>();

/** The caller's from here on: `openSslClient().freeSession`. 0 where there is none. */
export function takeSession(name: string): Pointer {
  const session = sessions.get(name) ?? 0;
  sessions.delete(name);
  return session;
}

/** Asked late: with TLS 1.3 tickets come behind the handshake. */
export function keepSession(name: string, ssl: Pointer): void {
  const session = openSslClient().session(ssl);
  if (session === 0) return;
  const before = takeSession(name);
  if (before !== 0) openSslClient().freeSession(before);
  const [oldest] = sessions.keys();
  if (sessions.size >= KEPT) openSslClient().freeSession(takeSession(oldest));
  sessions.set(name, session);
}

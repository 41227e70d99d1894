/** Whether the process ends: readiness turns red first, so that load balancers look away. */
import { servers } from "../http/servers.ts";

let asked = false;

/** Turns readiness red from here on, whatever servers say: for who drains something that is no HTTP server. */
export function setDraining(): void {
  asked = true;
}

export function isDraining(): boolean {
  if (asked) return true;
  for (const server of servers()) if (server.draining) return true;
  return false;
}

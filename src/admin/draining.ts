/** Whether the process ends: readiness turns red first, so that load balancers look away. */
import { servers } from "../http/servers.ts";
import { monotonicNow } from "../runtime/clock.ts";

let asked = false;
let since: number | undefined;

/** Turns readiness red from here on, whatever servers say: for who drains something that is no HTTP server. */
export function setDraining(): void {
  asked = true;
  since ??= monotonicNow();
}

export function isDraining(): boolean {
  if (asked) return true;
  for (const server of servers()) if (server.draining) return true;
  return false;
}

/** For how long, in milliseconds, as far as anybody has noticed; undefined while nothing ends. */
export function drainingFor(): number | undefined {
  if (!isDraining()) since = undefined;
  else since ??= monotonicNow();
  return since === undefined ? undefined : monotonicNow() - since;
}

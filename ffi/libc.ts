/** The system that we run on: its calls, bound through koffi, behind the seam of `system.ts`. Signatures, no logic. */
import { constantsHere } from "./constants.ts";
import { linuxSystem } from "./libc-linux.ts";
import type { System } from "./system.ts";

/** The real system, bound once a process. Throws where Slipway has no poller for the OS. */
export function system(): System {
  const { system: name } = constantsHere();
  if (name === "linux") return linuxSystem();
  throw new Error(`not supported on this OS: ${name} has no network poller in Slipway yet`);
}

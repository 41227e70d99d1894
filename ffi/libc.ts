/** The system that we run on: its calls, bound through koffi, behind the seam of `system.ts`. Signatures, no logic. */
import { constantsHere } from "./constants.ts";
import { bsdSystem } from "./libc-bsd.ts";
import { linuxSystem } from "./libc-linux.ts";
import type { System } from "./system.ts";
import { winsock } from "./winsock.ts";

/** The real system, bound once a process. Throws where Slipway has no poller for the OS. */
export function system(): System {
  const { system: name } = constantsHere();
  if (name === "windows") return winsock();
  return name === "linux" ? linuxSystem() : bsdSystem(name);
}

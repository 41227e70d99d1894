/** For who presses Ctrl-C at a terminal and sees nothing happen: requests may take drainTimeout to finish. */
import { tell } from "./output.ts";

/** Past drainIdle, which every drain may take. */
const PATIENCE_MS = 1_500;

export function noticeDrain(program: string): void {
  // Asked for here: no start has to load it.
  if (!process.getBuiltinModule("node:tty").isatty(2)) return;
  setTimeout(() => tell(`${program}: finishing what still runs; Ctrl-C again ends at once\n`), PATIENCE_MS).unref();
}

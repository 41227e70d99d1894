// --urgent: the server and the load generator go ahead of everything else on a
// machine that others use. Niceness is inherited, so raising our own is enough,
// but with autogroups (sched(7)) it only counts within a session: there the
// session's own niceness is raised as well, and put back at exit.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

const autogroup = "/proc/self/autogroup";

export function goAhead(): void {
  try {
    setPriority(-20);
    if (!existsSync(autogroup)) return;
    const before = / nice (-?\d+)/.exec(readFileSync(autogroup, "utf8"))?.[1] ?? "0";
    writeFileSync(autogroup, "-20");
    process.on("exit", () => writeFileSync(autogroup, before));
  } catch (error) {
    throw new Error(`--urgent: ${error instanceof Error ? error.message : error}; it needs root, or CAP_SYS_NICE`);
  }
}

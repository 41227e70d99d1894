/**
 * `kill -USR1` prints the table of tasks, as other servers dump their goroutines or threads. Every process of ours begins
 * with this, so it loads nothing until it is asked; servers have what it needs anyway.
 */
let installed = false;

/**
 * Prints the table on SIGUSR1, to standard error. Node would open its inspector on that signal, a debugger's port that
 * nobody asked a server for: any listener takes the place of that (checked on Node 26; not
 * under Deno, which does both). A program that listens to the
 * signal itself is left alone with it.
 */
export function installTaskSignal(): void {
  // Windows has no such signal; Node emulates none.
  if (installed || process.platform === "win32") return;
  installed = true;
  process.on("SIGUSR1", async () => {
    if (process.listenerCount("SIGUSR1") > 1) return;
    try {
      const { logTaskTable } = await import("./task-table.ts");
      await logTaskTable();
    } catch {
      // Nobody is left to tell.
    }
  });
}

/** This process asks itself to end, as whoever stops it would. */

/** True when somebody listens, and has been told. */
export function askToEnd(): boolean {
  if (process.listenerCount("SIGTERM") === 0) return false;
  // Windows has no such signal to send: there `process.kill` ends the process on the spot.
  if (process.platform === "win32") process.emit("SIGTERM", "SIGTERM");
  else process.kill(process.pid, "SIGTERM");
  return true;
}

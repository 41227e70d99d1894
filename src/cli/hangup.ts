/** SIGHUP: of a terminal that is closed, or somebody's wish that files be read again. */
import { isatty } from "node:tty";

/** `closed`: nobody sees this process any more, which must not go on holding its port then. */
export function onHangup(wanted: () => void, closed: () => void): void {
  // A console that is closed; nobody can send it there.
  if (process.platform === "win32") return void process.on("SIGHUP", closed);
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on("SIGHUP", () => {
    if (terminals.length > 0 && !terminals.some((fd) => isatty(fd))) closed();
    else wanted();
  });
}

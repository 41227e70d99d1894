/**
 * The admin port's connections: few, and guests. It goes as long as the process does and no longer: neither its listener
 * nor a scraper's connection, which is kept open between scrapes, keeps a process alive whose work is done.
 */
import { showAddress } from "../net/address.ts";
import type { Listener } from "../net/mod.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { logEvent } from "../runtime/log.ts";
import type { Runtime } from "../runtime/turn.ts";

/** One line about connections that were sent away in this time. */
const SAY_EVERY_MS = 10_000;

/**
 * Makes `listener` hold nothing: for each connection that a server opens on it one reason to live is taken back, and
 * given again when the connection goes. `open` tells how many the server has; past `most` of them, who comes is sent
 * away. That is no `maxConnections`, which also stops at what the descriptor limit leaves to everybody: the port must
 * answer when the public one has used that up.
 */
export function takeFew(listener: Listener, rt: Runtime, most: number, open: () => number): void {
  let released = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  const sayFull = (): void => {
    const now = monotonicNow();
    if (now - saidAt < SAY_EVERY_MS) return;
    saidAt = now;
    logEvent("warn", `the admin port takes ${most} connections and has them: one more was closed at once`, {
      address: showAddress(listener.addr),
    });
  };
  // One that closes slowly (src/net/linger.ts) holds the process for the moments that this takes.
  const settle = (): void => {
    for (const now = open(); released > now; released--) rt.hold();
    if (released === 0) rt.closing.delete(closed);
  };
  // A server forgets a connection after its handle was closed; the loop looks whether anything holds it later still.
  const closed = (): void => queueMicrotask(settle);
  const take = listener.takeConnections.bind(listener);
  listener.takeConnections = (each, whenClosed) =>
    take((fd) => {
      const before = open();
      if (before >= most) {
        rt.poller.system.close(fd);
        return sayFull();
      }
      each(fd);
      if (open() <= before) return;
      released++;
      rt.closing.add(closed);
      rt.release();
    }, whenClosed);
  listener.unref();
}

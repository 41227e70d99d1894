/**
 * A child of `run --watch`: runs one version of the program on the parent's listening sockets.
 */
import { loadBundle } from "../bundle/mod.ts";
import { type Listener, listenFd } from "../net/mod.ts";
import type { Address } from "./address.ts";
import { die } from "./errors.ts";
import { loadAndStart, type RunningApp } from "./start.ts";
import { firstInheritedFd, sameAddress, type ToChild, type ToParent } from "./watch-protocol.ts";

/** `handover`: the addresses, as JSON, of the sockets that were inherited. */
export async function runWatchChild(handover: string): Promise<void> {
  const given = JSON.parse(handover) as Address[];
  // The parent is gone, however it ended: nobody would ever end us.
  process.on("disconnect", () => process.exit(1));
  // A terminal's Ctrl-C reaches us too, but it is the parent who says when to end.
  process.on("SIGINT", () => {});
  let app: RunningApp | undefined;
  process.on("message", (message: ToChild) => {
    if (message.type === "load") {
      start(message, given).then(
        (started) => (app = started),
        (error) => die(error, "slipway"),
      );
    } else {
      end(app);
    }
  });
}

async function start(message: ToChild & { type: "load" }, given: readonly Address[]): Promise<RunningApp | undefined> {
  const { bundle, entry, file, flags, args } = message;
  process.argv = [process.argv[0], entry, ...args];
  // From here on only the program itself keeps this process alive.
  process.channel?.unref();
  let ready = false;
  let address: Address | undefined;
  const onReady = (shown?: string) => {
    if (!ready) tell({ type: "ready", shown, address });
    ready = true;
  };
  const app = await loadAndStart(() => loadBundle(bundle), {
    file,
    program: "slipway",
    flags,
    open: (wanted) => {
      address = wanted;
      return claim(wanted, given);
    },
    onReady,
  });
  onReady();
  return app;
}

/** The inherited listener for an address; if there is none, the parent is asked to open it and to start us again. */
function claim(address: Address, given: readonly Address[]): Listener | Promise<Listener> {
  const index = given.findIndex((open) => sameAddress(open, address));
  if (index >= 0) return listenFd(firstInheritedFd + index);
  tell({ type: "want", address }, () => process.exit(0));
  return new Promise(() => {});
}

/**
 * A connection that was accepted a moment ago has its request still on the way: closing it as idle would drop a client.
 * So first nothing more is accepted, and only after this grace are connections without a request closed.
 */
const graceMs = 1000;

function end(app: RunningApp | undefined): void {
  if (app === undefined) process.exit(0);
  app.stopAccepting();
  setTimeout(() => {
    app.stop().then(
      () => process.exit(0),
      (error) => die(error, "slipway"),
    );
  }, graceMs);
}

function tell(message: ToParent, sent?: () => void): void {
  if (sent === undefined) process.send?.(message);
  else process.send?.(message, undefined, undefined, sent);
}

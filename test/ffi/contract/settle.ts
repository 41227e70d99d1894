/**
 * Until all that is due has come: looks, parks as a program would, tries again what lacks memory, and lets the plain ends
 * read. A park while something is due must end with it: one that sleeps out its time has lost an edge or a wake. When
 * nothing is due any more the poller must come to rest.
 */
import type { Poller } from "../../../ffi/poller.ts";
import type { Target } from "./model.ts";
import { End } from "./model.ts";
import type { Parked } from "./program.ts";

export interface Settling {
  readonly poller: Poller;
  /** Watches the poller's descriptor, as the host's loop does. */
  readonly observer: Poller | undefined;
  readonly program: { readonly parked: Parked };
  readonly patienceMs: number;
  readonly targets: readonly Target[];
  /** Closed handles whose last bytes are due. */
  readonly leaving: number;
  readonly hasLater: boolean;
  woken: boolean;
  readonly found: boolean;
  violation: string | undefined;
  violated(what: string): void;
  look(poll: () => number): void;
  drainAll(): void;
}

/** With plain ends that are still to get bytes, which come from the kernel and not through the poller. */
const SHORT_MS = 1;
/** Looks that may bring something though nothing is due. */
const RESTLESS = 50;

export function settle(world: Settling): void {
  const { poller } = world;
  if (world.woken) park(world, world.patienceMs, "it was woken");
  const end = performance.now() + world.patienceMs;
  for (;;) {
    world.drainAll();
    const due = dueNow(world);
    if (world.violation !== undefined) return;
    if (due === undefined && !world.hasLater) break;
    if (performance.now() > end) return world.violated(`within ${world.patienceMs} ms it did not come to this: ${due}`);
    if (poller.stalled > 0) poller.retry();
    const long = due !== undefined && !world.hasLater && !plainWaits(world);
    park(world, long ? world.patienceMs : due === undefined ? 0 : SHORT_MS, due ?? "");
  }
  let looks = 0;
  let count = 0;
  do {
    world.look(() => (count = poller.poll(0)));
    if (world.violation !== undefined) return;
    if (looks++ > RESTLESS)
      return world.violated(`nothing is due, and it does not come to rest (pending: ${poller.pending})`);
  } while (count > 0 || poller.pending);
}

function dueNow(world: Settling): string | undefined {
  for (const target of world.targets) {
    const due = target.due();
    if (due !== undefined) return due;
  }
  return world.leaving > 0 ? "the last bytes of what was closed to go" : undefined;
}

function plainWaits({ targets }: Settling): boolean {
  return targets.some((end) => {
    if (!(end instanceof End) || end.kind !== "plain") return false;
    return end.state === "none" || (end.receiving && end.state === "open" && (end.received < end.peer.written || end.peer.fin)); // biome-ignore format: one line
  });
}

function park(world: Settling, ms: number, why: string): void {
  const { poller, observer } = world;
  const began = performance.now();
  const how = world.program.parked;
  if (how === "poll") world.look(() => poller.poll(ms));
  else {
    if (!poller.pending && !world.found) {
      if (how === "wait") poller.wait(ms);
      else observer?.wait(ms);
    }
    world.look(() => poller.poll(0));
  }
  if (ms === world.patienceMs && performance.now() - began > 0.9 * ms) {
    world.violated(`parked by ${how} it slept for ${ms} ms, though this was due: ${why}`);
  }
}

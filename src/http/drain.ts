/**
 * The graceful end of a server. Answers carry `Connection: close` from the first moment; for `drainDelay` everything is
 * still accepted, so that load balancers look away first; then the listener closes, idle connections after `drainIdle`,
 * for requests that are on their way; and what runs gets until `drainTimeout`, counted from the beginning.
 */
import { lingering } from "../net/linger.ts";
import type { Limits } from "./limits.ts";

/** What a drain asks of the server. */
export interface Drainable {
  readonly limits: Limits;
  readonly finished: Promise<void>;
  /** Accepts what has connected already, then no more; idle connections end after their grace. */
  stopListening(): void;
  /** Ends everything at once; gives how many requests it cut. */
  cutAll(): number;
}

/** How a drain ended. */
export interface DrainResult {
  /** Requests that were not answered in time. */
  readonly cut: number;
}

export async function drain(server: Drainable): Promise<DrainResult> {
  const { drainDelay, drainTimeout } = server.limits;
  let cut = 0;
  let bound: ReturnType<typeof setTimeout> | undefined;
  const overdue = new Promise<void>((resolve) => {
    if (drainTimeout === Number.POSITIVE_INFINITY) return;
    bound = setTimeout(() => {
      server.stopListening();
      cut = server.cutAll();
      resolve();
    }, drainTimeout);
  });
  try {
    if (drainDelay > 0) await delay(drainDelay, server.finished, overdue);
    server.stopListening();
    await Promise.race([server.finished, overdue]);
    // Answers that were sent last may still be on their way: whoever ends the process now would reset them.
    await Promise.race([lingering(), overdue]);
  } finally {
    clearTimeout(bound);
  }
  return { cut };
}

async function delay(ms: number, ...sooner: Promise<void>[]): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([passed, ...sooner]);
  clearTimeout(timer);
}

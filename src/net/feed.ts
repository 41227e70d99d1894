/**
 * What stands in for a listening socket where another thread accepts and hands over what it accepted (`--parallel`,
 * src/parallel): the listener of such a thread has no descriptor, and no connection waits in a queue of its own.
 */
import type { Addr } from "./address.ts";

export interface Feed {
  /** Where the other thread listens. */
  readonly addr: Addr;
  /** Begins; each descriptor goes to `accepted` from here on, whose it is. Asked again, it goes on after `pause`. */
  accept(accepted: (fd: number) => void): void;
  /** No more are wanted; what is on its way still comes. */
  pause(): void;
  /** Whoever accepts knows of clients that wait, for lack of descriptors or at the limit of connections. */
  readonly lacking: boolean;
  /** Before a graceful end: what has connected already is told before this returns. False when some still wait. */
  takeWaiting(): boolean;
  close(): void;
  /** The limit of connections is for all threads together, so whoever accepts sees to it. */
  limit(most: number): void;
  /** One of them was let go of. */
  ended(): void;
}

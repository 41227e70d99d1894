/**
 * A clock that tests move: 30 s pass in no time, and everything that waits for them is told. It stands still otherwise, so
 * that no deadline passes because a busy machine had no time for the test.
 */
import { monotonicNow, replaceClock } from "../../../src/runtime/clock.ts";
import { runtime } from "../../../src/runtime/turn.ts";
import { turns } from "./server.ts";

export interface Time {
  /** Lets this many milliseconds pass, and gives everybody the turns to notice. */
  pass(ms: number): Promise<void>;
}

let added = 0;
let moving = false;

/** From here on time is what `pass` makes of it. It stays so in this process: no clock goes back. */
export function movableTime(): Time {
  if (!moving) {
    moving = true;
    const begin = monotonicNow();
    replaceClock(() => begin + added);
  }
  return {
    async pass(ms) {
      // What has been sent by now arrives before its deadline passes.
      await turns(2);
      added += ms;
      runtime().schedule();
      await turns(2);
    },
  };
}

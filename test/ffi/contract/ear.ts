/** The sink of one target: every call is judged by the model, and may do what the program says is to be done then. */
import type { Handle, Sink } from "../../../ffi/poller.ts";
import { DatagramSocket, End, Listener, type Target } from "./model.ts";
import type { Heard, Op } from "./program.ts";

/** What an ear needs of the world. */
export interface Hearing {
  /** Within `poll`: nothing may be heard elsewhere. */
  readonly polling: boolean;
  readonly refusal: number;
  readonly blocks: boolean;
  violated(what: string): void;
  /** From within the sink. */
  perform(op: Op, target: Target): void;
  accepted(listener: Listener, fd: number): void;
}

export class Ear implements Sink {
  readonly target: Target;
  readonly #world: Hearing;
  /** Another one hears for the target now. */
  deaf = false;

  constructor(world: Hearing, target: Target) {
    this.#world = world;
    this.target = target;
  }

  accepted(listener: Handle, fd: number): void {
    this.#heard(listener, "accepted", () => {
      if (this.target instanceof Listener) this.#world.accepted(this.target, fd);
      else this.target.wrong("heard accepted");
    });
  }
  connected(handle: Handle): void {
    this.#heard(handle, "connected", () => this.#end("connected").hearsConnected());
  }
  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.#heard(handle, "received", () => this.#end("received").hearsReceived(bytes, start, end));
  }
  datagram(handle: Handle, bytes: Uint8Array, start: number, end: number, from: Uint8Array): void {
    this.#heard(handle, "datagram", () => {
      if (this.target instanceof DatagramSocket) this.target.hearsDatagram(bytes, start, end, from);
      else this.target.wrong("heard datagram");
    });
  }
  sent(handle: Handle): void {
    this.#heard(handle, "sent", () => this.target.hearsSent());
  }
  blocked(handle: Handle): void {
    this.#heard(handle, undefined, () => {
      if (!this.#world.blocks) this.target.wrong("heard blocked, which this poller never tells");
      this.target.owed = true;
    });
  }
  ended(handle: Handle): void {
    this.#heard(handle, "ended", () => this.#end("ended").hearsEnded());
  }
  hungUp(handle: Handle): void {
    this.#heard(handle, "hungUp", () => this.#end("hungUp").hearsHungUp());
  }
  failed(handle: Handle, errno: number): void {
    this.#heard(handle, "failed", () => {
      const { target } = this;
      if (target instanceof End) target.hearsFailed(errno, this.#world.refusal);
      else if (target instanceof Listener) target.hearsFailed(errno);
      else if (!target.spoiled) target.wrong(`heard failed ${errno}, but nothing is wrong`);
    });
  }
  expired(): void {
    this.#world.violated(`${this.target.name} heard expired, which is not the poller's to tell`);
  }

  #end(what: string): End {
    return this.target instanceof End ? this.target : this.target.wrong(`heard ${what}`);
  }

  #heard(handle: Handle, what: Heard | undefined, judge: () => void): void {
    const { target } = this;
    const world = this.#world;
    try {
      if (target.state === "closed") target.wrong(`heard ${what ?? "blocked"} after it was closed`);
      if (this.deaf) target.wrong(`heard ${what ?? "blocked"} by a sink that was replaced`);
      if (handle !== target.handle) target.wrong(`heard ${what ?? "blocked"} as handle ${handle}`);
      if (!world.polling) target.wrong(`heard ${what ?? "blocked"} outside of poll`);
      judge();
    } catch (error) {
      world.violated((error as Error).message);
      return;
    }
    const op = what === undefined ? undefined : target.within.get(what)?.shift();
    if (op !== undefined) world.perform(op, target);
  }
}

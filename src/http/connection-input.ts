/**
 * What a connection's client has sent too early: part of a head, or requests behind one that is being answered. It is
 * kept, and served as soon as that can be.
 */
import { turnStats } from "../runtime/stall-clock.ts";
import type { TurnShares, Waiting } from "../runtime/turn-shares.ts";
import { type ClockHost, ConnectionClocks } from "./connection-clocks.ts";
import { EarlyInput } from "./early-input.ts";

/** Requests of one connection that a turn serves, however long it has lasted. */
export const FREE_REQUESTS = 32;

export interface InputHost extends ClockHost {
  readonly shares: TurnShares;
}

export abstract class ConnectionInput extends ConnectionClocks implements Waiting {
  abstract override readonly host: InputHost;
  #input: EarlyInput | undefined;
  #looping = false;
  /** It has had its share of a turn: what waits is served in a later one. */
  protected yielded = false;
  /** Times that requests were served, in turn `#turn`. */
  #served = 0;
  #turn = -1;
  #held = false;

  /** No further request may be looked at now. */
  abstract get busy(): boolean;
  abstract get closed(): boolean;
  /** The client's FIN has come. */
  abstract get peerEnded(): boolean;

  /** Serves requests from `bytes[start, end)`, returns the index behind what was used. */
  protected abstract serve(bytes: Uint8Array, start: number, end: number): number;
  /** Less waits than may: bytes are welcome, if nothing else keeps them off. */
  protected abstract receiveMore(): void;
  /** It goes on where it has yielded. */
  protected abstract resume(): void;
  /** Nothing waits to be served, and nobody is being answered. */
  protected abstract emptied(): void;
  /** The client has ended in the middle of a head. */
  protected abstract leftOff(): void;

  /** How many bytes wait to be served. */
  protected get waiting(): number {
    return this.#input === undefined ? 0 : this.#input.size;
  }

  /** Copies bytes that can't be served now. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.#input === undefined) this.#input = new EarlyInput(bytes, start, end);
    else this.#input.add(bytes, start, end);
    if (!this.busy || !this.#isTooMuch) return;
    this.#held = true;
    this.host.poller.pause(this.handle);
  }

  get #isTooMuch(): boolean {
    return this.waiting > this.host.limits.maxPipelinedBytes;
  }
  /** So much waits that no more is received, until some of it was served. */
  protected get inputHeld(): boolean {
    return this.#held;
  }
  #takeMore(): void {
    if (!this.#held || this.#isTooMuch) return;
    this.#held = false;
    this.receiveMore();
  }

  /** Everybody else comes first: whoever sends much at once, or one request behind the other, has a share of each turn. */
  yieldTurn(): void {
    if (this.yielded) return;
    this.yielded = true;
    // Only who has been served yields. What comes next is begun anew, however long it waits with us.
    this.headBegan(false);
    this.host.shares.add(this);
  }

  goOn(): void {
    this.yielded = false;
    if (this.closed) return;
    try {
      this.resume();
    } catch (error) {
      // Ours: nobody else is above us here.
      this.host.poller.onSinkError(this.handle, error);
    }
  }

  #hadItsShare(): boolean {
    return this.#served >= FREE_REQUESTS && this.#turn === turnStats.turns && this.host.shares.spent;
  }
  #countServed(): void {
    if (this.#turn !== turnStats.turns) {
      this.#turn = turnStats.turns;
      this.#served = 0;
    }
    this.#served++;
  }

  /** Part of a head has come, and nothing before it waits. `fresh`: it is the connection's first. */
  waitForHead(fresh: boolean): void {
    this.#input?.triedInVain();
    this.headBegan(fresh);
  }

  /** What waits, for whoever carries on where HTTP ends. */
  protected takeInput(): EarlyInput | undefined {
    const input = this.#looping ? undefined : this.#input;
    this.#input = undefined;
    return input;
  }

  protected forgetInput(): void {
    this.#input = undefined;
  }

  /** Serves what was kept, until more bytes or a handler must be waited for. Within itself it changes nothing. */
  protected pump(): void {
    if (this.#looping) return;
    const input = this.#input;
    if (input === undefined) return this.emptied();
    // Part of a head that goes on has its deadline already; drips don't move it.
    let begins = input.untried;
    while (!this.busy && input.size > 0) {
      if (!input.worthTrying()) break;
      if (this.#hadItsShare()) return this.yieldTurn();
      const before = input.start;
      this.#looping = true;
      const at = this.serve(input.bytes, before, input.end);
      this.#looping = false;
      if (this.closed) return;
      if (at === before) {
        input.triedInVain();
        break;
      }
      input.served(at);
      this.#countServed();
      begins = true;
    }
    this.#takeMore();
    if (this.busy) return;
    if (input.size === 0) {
      this.#input = undefined;
      return this.emptied();
    }
    if (this.peerEnded) this.leftOff();
    else if (begins) this.headBegan(false);
  }
}

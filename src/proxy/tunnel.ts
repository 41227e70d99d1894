/**
 * A connection that has left HTTP (a WebSocket), on both sides: bytes go through as they are, in both directions, and nobody
 * here knows what they say. Who reads slowly pauses the other side. One that ends ends both, behind what is on its way.
 */
import { SENDING } from "../../ffi/poller.ts";
import type { ClientConnection, Switched } from "../client/connection.ts";
import type { Channel, Successor } from "../http/upgrade.ts";
import { proxyCounters } from "./counters.ts";

export class Tunnel implements Successor {
  readonly name = "proxied websocket";
  readonly #timeout: number;
  #channel: Channel | undefined;
  #upstream: ClientConnection | undefined;
  /** What the upstream says before the client has its 101. */
  #early: Uint8Array[] = [];
  #earlyEnd = false;
  /** Bytes wait to be sent to it. */
  #toClient = false;
  #toUpstream = false;
  /** The other side has ended: it is closed once all has been sent. */
  #clientEnds = false;
  #upstreamEnds = false;
  #begun = false;
  #over = false;

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** The upstream has agreed. */
  opened(upstream: ClientConnection): void {
    this.#upstream = upstream;
    proxyCounters.tunnels++;
    proxyCounters.tunnelsOpened++;
    upstream.pauseSwitched();
  }

  // ---- the client's side

  begin(channel: Channel, sending: boolean): void {
    this.#begun = true;
    this.#channel = channel;
    this.#toClient = sending;
    if (this.#over || this.#upstream === undefined) return channel.cut();
    this.#alive();
    for (const bytes of this.#early) this.#give(bytes, 0, bytes.length);
    this.#early = [];
    if (this.#earlyEnd) return this.#endClient();
    if (!this.#toClient) this.#upstream.resumeSwitched();
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#over || this.#upstream === undefined) return;
    this.#alive();
    const result = this.#upstream.sendSwitched(bytes, start, end);
    if (result < 0) return this.#end();
    if (result !== SENDING) return;
    this.#toUpstream = true;
    this.#channel?.pause();
  }

  sent(): void {
    this.#toClient = false;
    if (this.#clientEnds) return this.#end();
    this.#upstream?.resumeSwitched();
  }
  blocked(): void {
    this.#toClient = true;
    this.#upstream?.pauseSwitched();
  }

  /** The client's FIN. */
  ended(): void {
    this.#upstreamEnds = true;
    if (!this.#toUpstream) this.#end();
  }
  failed(): void {
    this.#cut();
  }
  expired(): void {
    this.#end();
  }
  /** Also told of what went well. */
  refused(): void {
    if (!this.#begun) this.#cut();
  }
  /** What it says nobody here knows, so neither how to say goodbye: it has until `drainTimeout`. */
  drain(): void {}
  closed(): void {
    this.#channel = undefined;
    this.#cut();
  }

  // ---- the upstream's side: `upstreamSide` is what its connection gets

  readonly upstreamSide: Switched = {
    received: (bytes, start, end) => {
      if (this.#channel === undefined) {
        if (!this.#over) this.#early.push(bytes.slice(start, end));
        return;
      }
      this.#alive();
      this.#give(bytes, start, end);
    },
    sent: () => {
      this.#toUpstream = false;
      if (this.#upstreamEnds) return this.#end();
      this.#channel?.receive();
    },
    ended: () => {
      if (this.#channel === undefined) this.#earlyEnd = true;
      else this.#endClient();
    },
    failed: () => this.#end(),
  };

  #give(bytes: Uint8Array, start: number, end: number): void {
    const channel = this.#channel;
    if (channel === undefined || this.#over) return;
    const result = channel.send(bytes, start, end);
    if (result < 0) return this.#end();
    if (result !== SENDING) return;
    this.#toClient = true;
    this.#upstream?.pauseSwitched();
  }

  #endClient(): void {
    this.#clientEnds = true;
    if (!this.#toClient) this.#end();
  }

  #alive(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#timeout === Number.POSITIVE_INFINITY) return;
    channel.setDeadline(channel.now + this.#timeout);
  }

  /** Both sides, behind what was sent. */
  #end(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#cut();
    channel?.finish();
  }

  /** The upstream's side. */
  #cut(): void {
    this.#over = true;
    this.#early = [];
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.#upstream = undefined;
    proxyCounters.tunnels--;
    upstream.close();
  }
}

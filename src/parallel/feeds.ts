/**
 * A worker's listeners: the main thread accepts for them, and hands over descriptors through the ring (shared.ts).
 */

import type { Feed } from "../net/feed.ts";
import { handover } from "../net/handover.ts";
import type { ListenOptions } from "../net/listen.ts";
import { Listener } from "../net/listener.ts";
import type { Addr } from "../net/mod.ts";
import { errors } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/turn.ts";
import type { Answer, Call, Fed, ToMain, Wanted } from "./messages.ts";
import { type Shared, TELL } from "./shared.ts";

/** How long nobody may wait for a connection until the main thread gives them to others: a loop of accepts pauses often. */
const PAUSE_MS = 20;

/** The way to the main thread. */
export interface Line {
  readonly shared: Shared;
  post(message: ToMain): void;
  /** Waits for the answer; the main thread never waits for us. */
  call(call: Call): Answer;
}

export class Feeds {
  readonly #line: Line;
  readonly #runtime: Runtime;
  readonly #feeds = new Map<number, ThreadFeed>();
  /** Sockets that were asked for in the same words. */
  readonly #asked = new Map<string, number>();
  #loading = true;
  /** The drain has begun: what one server stops, all stop. */
  draining = false;

  constructor(line: Line, rt: Runtime) {
    this.#line = line;
    this.#runtime = rt;
  }

  /** Whether the program has ever listened. */
  get used(): boolean {
    return this.#asked.size > 0;
  }

  /** The program's `Deno.listen` and `Deno.serve` share their sockets with the other workers from here on. */
  install(): void {
    handover.open = (options) => {
      // A socket for one's own use, made while the program runs: its port is known to nobody else.
      if (!this.#loading && options.transport !== "unix" && Number(options.port) === 0) return undefined;
      return this.listen({ by: "program", options, loading: this.#loading });
    };
  }

  /** The program's modules have been evaluated. */
  loaded(): void {
    this.#loading = false;
  }

  listen(wanted: Wanted): Listener {
    const key = wanted.by === "program" ? keyOf(wanted.options) : JSON.stringify(wanted.address);
    const nth = this.#asked.get(key) ?? 0;
    const fed = unwrap(this.#line.call({ call: "listen", wanted, nth })) as Fed;
    this.#asked.set(key, nth + 1);
    const feed = new ThreadFeed(this.#line, fed, this, () => {
      this.#feeds.delete(fed.listener);
      // It may listen there again; each socket of port 0 is another.
      if (!key.endsWith(" 0")) this.#asked.set(key, (this.#asked.get(key) ?? 1) - 1);
    });
    this.#feeds.set(fed.listener, feed);
    return new Listener(this.#runtime, feed, fed.addr, undefined);
  }

  /** Gives what waits in the ring to its listeners. */
  look(): void {
    this.#line.shared.take((fd, listener) => {
      const feed = this.#feeds.get(listener);
      if (feed === undefined) this.#runtime.poller.system.close(fd);
      else feed.accepted(fd);
    });
  }
}

class ThreadFeed implements Feed {
  readonly addr: Addr;
  readonly #line: Line;
  readonly #id: number;
  readonly #feeds: Feeds;
  readonly #forget: () => void;
  /** As the main thread knows it. */
  #accepting = false;
  #pausing: ReturnType<typeof setTimeout> | undefined;
  accepted: (fd: number) => void;

  constructor(line: Line, { listener, addr }: Fed, feeds: Feeds, forget: () => void) {
    this.addr = addr;
    this.#line = line;
    this.#id = listener;
    this.#feeds = feeds;
    this.#forget = forget;
    this.accepted = () => {};
  }

  get lacking(): boolean {
    return this.#line.shared.get(TELL) !== 0;
  }

  accept(accepted: (fd: number) => void): void {
    this.accepted = accepted;
    clearTimeout(this.#pausing);
    this.#pausing = undefined;
    if (this.#accepting) return;
    this.#accepting = true;
    this.#line.post({ type: "accept", listener: this.#id, on: true });
  }

  pause(): void {
    if (!this.#accepting || this.#pausing !== undefined) return;
    this.#pausing = setTimeout(() => {
      this.#pausing = undefined;
      this.#accepting = false;
      this.#line.post({ type: "accept", listener: this.#id, on: false });
    }, PAUSE_MS);
    this.#pausing.unref();
  }

  takeWaiting(): boolean {
    const { draining } = this.#feeds;
    const all = unwrap(this.#line.call({ call: "stop", listener: this.#id, all: draining })) === true;
    this.#accepting = false;
    this.#feeds.look();
    return all;
  }

  close(): void {
    clearTimeout(this.#pausing);
    this.#forget();
    this.#line.post({ type: "close", listener: this.#id });
  }

  limit(most: number): void {
    this.#line.post({ type: "limit", listener: this.#id, most });
  }

  ended(): void {
    this.#line.shared.ended(this.#id);
    if (this.#line.shared.get(TELL) !== 0) this.#line.post({ type: "ended" });
  }
}

/** What was asked for, so that the same question gets the same socket in every worker. */
export function keyOf(options: ListenOptions): string {
  if (options.transport === "unix") return `unix ${options.path}`;
  return `tcp ${options.hostname ?? "0.0.0.0"} ${Number(options.port)}`;
}

/** An answer's value; what went wrong in the main thread is thrown here, as the same class. */
export function unwrap(answer: Answer): Fed | boolean | undefined {
  if (answer.ok) return answer.value;
  const { name, message, code } = answer;
  const known = (errors as Readonly<Record<string, new (message: string) => Error>>)[name];
  const builtin = name === "TypeError" ? TypeError : name === "RangeError" ? RangeError : Error;
  const error = new (known ?? builtin)(message);
  if (known === undefined) error.name = name;
  throw code === undefined ? error : Object.assign(error, { code });
}

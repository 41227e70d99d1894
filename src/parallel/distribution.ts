/**
 * The main thread accepts, and gives each connection to the worker that has the fewest of that listener. Measured against
 * sockets of their own (SO_REUSEPORT) and one socket that every worker watches, on two cores: those left one of two
 * workers with 8 of 8, 7 of 8 and 54 of 64 connections, which then wait for it while the other has nothing to do; here
 * it is always the half. It costs a new connection some 4 µs of CPU more than SO_REUSEPORT does, and a request on a
 * kept one nothing.
 *
 * A worker that is held up, by a handler that computes, gets no more connections, and what it was given and has not
 * come to goes to another.
 */
import { counters } from "../http/counters.ts";
import { limitFired } from "../http/limit-log.ts";
import { Admission, type SocketCount } from "../net/admission.ts";
import type { Listener } from "../net/mod.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { runtime } from "../runtime/turn.ts";
import { HEAD, MOST_LISTENERS, RING, type Shared, SIGNALED, SOCKETS, TELL } from "./shared.ts";

/** A worker that has not looked for so long is held up. */
const STUCK_MS = 50;

/** When those are tried again that no worker had room for. */
const HELD_MS = 5;
/** More than any number of connections: who is held up comes last, and behind them who has no room. */
const HELD_UP = 1e9;
const FULL = 1e10;

/** A worker as connections are given to it. */
export interface Taker {
  readonly shared: Shared;
  wake(): void;
  /** Connections that it was given, by listener. */
  readonly given: number[];
  /** Where it was in its ring when that was last looked at, and since when it is there with something to do. */
  head: number;
  since: number;
}

/** A listening socket that workers take connections of. */
export interface SharedListener {
  readonly id: number;
  readonly listener: Listener;
  /** Who accepts; and who has it at all. */
  readonly takers: Set<Taker>;
  readonly holders: Set<Taker>;
  admission: Admission | undefined;
  /** Connections that the admission takes for open. */
  seen: number;
  taking: boolean;
}

export class Distribution {
  readonly #listeners: SharedListener[] = [];
  readonly #workers = new Set<Taker>();
  readonly #counted: SocketCount;
  /** Asked after each end of a connection, while some limit is met. */
  readonly #closing = new Set<() => void>();
  /** Nothing is accepted before: the first worker to be up would get it all. */
  #begun = false;
  #next = 0;
  /** Accepted when no worker had room. */
  readonly #held: { readonly shared: SharedListener; readonly fd: number }[] = [];
  /** Nobody takes them now, but their socket lives on: the kernel would keep them in its queue as well. */
  #kept: { readonly shared: SharedListener; readonly fd: number }[] = [];
  #holding: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const { poller } = runtime();
    const sockets = (): number => this.#sockets();
    this.#counted = {
      poller: {
        system: poller.system,
        get openCount() {
          return poller.openCount + sockets();
        },
      },
      closing: {
        add: (closed) => {
          this.#closing.add(closed);
          this.#tell();
          // One that ended before its worker could know that it is to tell.
          queueMicrotask(() => this.ended());
          return this.#closing;
        },
        delete: (closed) => {
          const known = this.#closing.delete(closed);
          this.#tell();
          return known;
        },
      },
    };
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const shared of this.#listeners) this.#settle(shared);
  }

  add(worker: Taker): void {
    this.#workers.add(worker);
    worker.shared.set(TELL, this.#closing.size > 0 ? 1 : 0);
  }

  /** A worker is gone: what it had not come to goes to the others. */
  remove(worker: Taker): void {
    this.#workers.delete(worker);
    for (const shared of this.#listeners) {
      shared.takers.delete(worker);
      shared.holders.delete(worker);
    }
    this.#takeBack(worker);
    for (const shared of this.#listeners) this.#settle(shared);
  }

  /** Shares a listening socket, which the process owns from here on; undefined when there are too many. */
  share(listener: Listener): SharedListener | undefined {
    const id = this.#freeId();
    if (id === MOST_LISTENERS) return undefined;
    const made: SharedListener = {
      ...{ id, listener, takers: new Set<Taker>(), holders: new Set<Taker>() },
      ...{ admission: undefined, seen: 0, taking: false },
    };
    this.#listeners[id] = made;
    return made;
  }

  /** A new one, or that of a socket of which nothing is left: a program may drain and begin anew for as long as it runs. */
  #freeId(): number {
    const workers = [...this.#workers];
    const free = this.#listeners.findIndex(
      (old) =>
        old.listener.fd < 0 &&
        old.holders.size === 0 &&
        // Who comes to one of its connections yet, or tells of an end, names it.
        workers.every(({ shared }) => shared.waiting === 0) &&
        (old.admission === undefined || workers.every((worker) => this.#open(old, worker) === 0)),
    );
    if (free < 0) return this.#listeners.length;
    // Nobody has told of the ends of those that a program accepted by itself.
    for (const { given, shared } of workers) given[free] = shared.endings(free);
    return free;
  }

  get(id: number): SharedListener | undefined {
    return this.#listeners[id];
  }

  /** A worker begins, or ceases, to wait for connections. */
  accept(shared: SharedListener, worker: Taker, on: boolean): void {
    if (on) shared.takers.add(worker);
    else shared.takers.delete(worker);
    this.#settle(shared);
  }

  limit(shared: SharedListener, most: number): void {
    shared.admission ??= new Admission(this.#counted, shared.listener, most, () =>
      limitFired(counters, "maxConnections", () => "", ""),
    );
  }

  /** A worker closes its listener; the socket is closed with the last of them. */
  close(shared: SharedListener, worker: Taker): void {
    shared.takers.delete(worker);
    shared.holders.delete(worker);
    if (shared.holders.size === 0) this.end(shared);
    else this.#settle(shared);
  }

  /**
   * A worker takes no more of this listener's. When it is the last, or all end, those that have connected already are
   * given to who still takes some. False when some still wait, for lack of descriptors.
   */
  stop(shared: SharedListener, worker: Taker, all: boolean): boolean {
    const last = shared.takers.size === 1 && shared.takers.has(worker);
    if ((all || last) && shared.taking && shared.listener.fd >= 0) {
      if (!shared.listener.takeWaiting()) return false;
      this.end(shared);
    }
    shared.takers.delete(worker);
    if (!all) this.#settle(shared);
    return true;
  }

  end(shared: SharedListener): void {
    shared.admission?.end();
    shared.taking = false;
    shared.listener.close();
    for (const fd of this.#keptOf(shared)) runtime().poller.system.close(fd);
  }

  /** A worker tells that connections have ended. */
  ended(): void {
    for (const shared of this.#listeners) this.#count(shared);
    for (const closed of [...this.#closing]) closed();
  }

  // ---- one connection

  #take(shared: SharedListener, fd: number): void {
    const worker = this.#choose(shared);
    // Nobody takes any, and yet one came: it was accepted as the last one left.
    if (worker === undefined) return this.#keep(shared, fd);
    this.#count(shared);
    if (shared.admission !== undefined) {
      shared.admission.opened();
      shared.seen++;
    }
    this.#give(worker, shared, fd);
  }

  #give(worker: Taker, shared: SharedListener, fd: number): void {
    stuck(worker, monotonicNow());
    if (!worker.shared.give(fd, shared.id)) return this.#hold(shared, fd);
    worker.given[shared.id] = (worker.given[shared.id] ?? 0) + 1;
    if (Atomics.exchange(worker.shared.control, SIGNALED, 1) === 0) worker.wake();
    this.#timer ??= setTimeout(this.#look, STUCK_MS).unref();
  }

  /** More have come at once than the workers have begun with: the rest waits in the kernel's queue, and one here. */
  #hold(shared: SharedListener, fd: number): void {
    this.#held.push({ shared, fd });
    shared.listener.pauseConnections();
    this.#holding ??= setTimeout(this.#goOn, HELD_MS);
  }

  readonly #goOn = (): void => {
    this.#holding = undefined;
    for (const { shared, fd } of this.#held.splice(0)) {
      const worker = this.#choose(shared);
      if (worker === undefined) this.#keep(shared, fd);
      else this.#give(worker, shared, fd);
    }
    if (this.#held.length > 0) return;
    for (const { taking, listener, admission } of this.#listeners) {
      if (taking && admission?.waiting !== true) listener.resumeConnections();
    }
  };

  /** The one with the fewest, of those that get on; equals in turn. */
  #choose(shared: SharedListener): Taker | undefined {
    const takers = [...shared.takers];
    const now = monotonicNow();
    let chosen: Taker | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < takers.length; i++) {
      const worker = takers[(this.#next + i) % takers.length];
      // Of a listener whose program accepts by itself nobody tells when connections end: its workers take turns.
      let has = shared.admission === undefined ? 0 : this.#open(shared, worker);
      if (stuck(worker, now)) has += HELD_UP;
      if (worker.shared.waiting >= RING) has += FULL;
      if (has >= fewest) continue;
      fewest = has;
      chosen = worker;
    }
    this.#next++;
    return chosen;
  }

  /** While something is on its way: whether its worker has come to it. */
  readonly #look = (): void => {
    this.#timer = undefined;
    const now = monotonicNow();
    let waiting = false;
    for (const worker of this.#workers) {
      if (worker.shared.waiting === 0) continue;
      waiting = true;
      if (stuck(worker, now) && this.#someoneElse(worker, now)) this.#takeBack(worker);
    }
    if (waiting) this.#timer = setTimeout(this.#look, STUCK_MS).unref();
  };

  #someoneElse(worker: Taker, now: number): boolean {
    for (const other of this.#workers) {
      if (other !== worker && !stuck(other, now)) return true;
    }
    return false;
  }

  #takeBack(worker: Taker): void {
    const back = (fd: number, id: number): void => {
      worker.given[id]--;
      const shared = this.#listeners[id];
      const other = this.#choose(shared);
      if (other === undefined) this.#keep(shared, fd);
      else this.#give(other, shared, fd);
    };
    if (!this.#workers.has(worker)) return worker.shared.takeBack(back);
    // It lives, and comes to what nobody else takes, though it has stopped to listen: those were its last connections.
    worker.shared.takeBack(back, (id) => [...this.#listeners[id].takers].some((other) => other !== worker));
  }

  #keep(shared: SharedListener, fd: number): void {
    if (shared.listener.fd < 0) runtime().poller.system.close(fd);
    else this.#kept.push({ shared, fd });
  }

  #keptOf(shared: SharedListener): number[] {
    const its = this.#kept.filter((one) => one.shared === shared).map(({ fd }) => fd);
    if (its.length > 0) this.#kept = this.#kept.filter((one) => one.shared !== shared);
    return its;
  }

  // ---- how many

  #settle(shared: SharedListener): void {
    this.#count(shared);
    const wanted = this.#begun && shared.takers.size > 0;
    if (wanted === shared.taking || shared.listener.fd < 0) return;
    shared.taking = wanted;
    if (!wanted) return shared.listener.stopAccepting();
    for (const fd of this.#keptOf(shared)) this.#take(shared, fd);
    shared.listener.takeConnections((fd) => this.#take(shared, fd));
  }

  /** Brings the admission up to date with what the workers' memory says. */
  #count(shared: SharedListener): void {
    let open = 0;
    for (const worker of this.#workers) open += this.#open(shared, worker);
    for (; shared.seen > open; shared.seen--) shared.admission?.closed();
  }

  #open({ id }: SharedListener, { given, shared }: Taker): number {
    return (given[id] ?? 0) - shared.endings(id);
  }

  #sockets(): number {
    let count = 0;
    for (const worker of this.#workers) count += worker.shared.get(SOCKETS) + worker.shared.waiting;
    return count;
  }

  #tell(): void {
    const tell = this.#closing.size > 0 ? 1 : 0;
    for (const worker of this.#workers) worker.shared.set(TELL, tell);
  }
}

/** Whether it has been held up with something to do. */
function stuck(worker: Taker, now: number): boolean {
  const head = worker.shared.get(HEAD);
  if (worker.shared.waiting > 0 && head === worker.head) return now - worker.since > STUCK_MS;
  worker.head = head;
  worker.since = now;
  return false;
}

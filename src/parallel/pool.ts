/**
 * The workers of `--parallel`, as the main thread keeps them: started, given connections, asked, replaced when one dies,
 * drained together. The main thread serves nothing itself: it answers signals and the admin port whatever handlers do.
 */

import { type Listener, type ListenOptions, listen } from "../net/mod.ts";
import type { ListenAddress } from "../options/address.ts";
import type { Resolved } from "../options/resolve.ts";
import { askToEnd } from "../runtime/end-signal.ts";
import { logEvent } from "../runtime/log.ts";
import { otherThreads, type TaskRow, taskTable } from "../runtime/task-table.ts";
import { runtime } from "../runtime/turn.ts";
import { Distribution, type SharedListener } from "./distribution.ts";
import { endThreadsAtExit } from "./exit.ts";
import { keyOf } from "./feeds.ts";
import { type FamilySamples, lasting, mergedTasks } from "./merge.ts";
import type { Answer, Call, CheckName, Fed, ToMain, Wanted } from "./messages.ts";
import { Owners } from "./shared.ts";
import { type Common, Thread, type ThreadSettings } from "./thread.ts";

/** A program that never ends loading (it accepts at its top level) is up so long after it has begun to listen. */
const LISTENS_MS = 1000;
/** A worker that is held up does not hold up a scrape: it is shown as it was when it last answered. */
const ANSWER_MS = 500;
/** What the others get to answer a check of readiness once one has passed it. */
const LAGGARD_MS = 200;
/** One that lived for less is started again after a while, which doubles. */
const LIVED_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** So many deaths in a minute, and it is no accident: the process ends, as it would at the first without --parallel. */
const MOST_DEATHS = 10;
const WINDOW_MS = 60_000;

export interface PoolSettings {
  readonly count: number;
  readonly common: Common;
  readonly spawn: ThreadSettings["spawn"];
  /** Opens what the options say. */
  readonly open: (address: ListenAddress) => Listener | Promise<Listener>;
  /** The program's options are known, and the names of its checks; gives whether somebody reads times of requests. */
  readonly opening: (resolved: Resolved, ready: readonly CheckName[] | undefined) => Promise<boolean>;
  /** The program has opened an HTTP server by itself. */
  readonly server: () => void;
  /** What the program exports is served by all, though `start` took it for one that listens on its own. */
  readonly late: (up: Up) => void;
  /** The first worker could not start: its text and exit code. Does not return. */
  readonly failed: (text: string, code: number) => never;
}

/** How a start went: what is served where; nothing of it for a program that listens on its own. */
export interface Up {
  readonly shown: readonly string[] | undefined;
  readonly drainTimeout: number | undefined;
  readonly listening: boolean;
}

interface Drained {
  readonly cut: number;
  readonly tasks: number;
  readonly failed?: boolean;
}

export class Pool {
  readonly #settings: PoolSettings;
  readonly #distribution = new Distribution();
  readonly #owners: Owners;
  readonly #threads = new Set<Thread>();
  /** By what was asked for, and which of them. */
  readonly #shared = new Map<string, Promise<SharedListener>>();
  readonly #up = Promise.withResolvers<Up>();
  readonly #drained = new Map<Thread, (how: Drained) => void>();
  /** Times of deaths within the window. */
  #deaths: number[] = [];
  #pauseMs = 0;
  #opening: Promise<boolean> | undefined;
  #gone: readonly FamilySamples[] = [];
  #ending: Promise<Drained> | undefined;
  #gaveUp = false;
  #served = false;
  /** Who serves what the program exports has said so. */
  #shown = false;
  #everUp = false;
  #code = 0;
  /** Node's own servers can't be shared. */
  #alone = false;
  deaths = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    const { system } = runtime().poller;
    const limit = system.descriptorLimit();
    this.#owners = new Owners(limit < 0 ? 1 << 16 : Math.min(limit, 1 << 20));
    endThreadsAtExit(() => this.#threads);
    otherThreads.tasks = async () => mergedTasks([taskTable(), ...(await this.#tasks())]);
  }

  get size(): number {
    let up = 0;
    for (const { state } of this.#threads) if (state === "up") up++;
    return up;
  }

  /**
   * Starts them all. The program is loaded by the first, and by the others when that listens: what is wrong with it is
   * said once, and a tool does its work once. They have everything else behind them by then.
   */
  async start(): Promise<Up> {
    void this.#start(1, true);
    const start = (_: unknown, i: number): Promise<void> => this.#start(i + 2, false);
    const others = Array.from({ length: this.#settings.count - 1 }, start);
    const up = await this.#up.promise;
    if (up.listening && !this.#alone) {
      this.#letGo();
      await Promise.all(others);
    } else {
      for (const thread of this.#threads) if (thread.number > 1) thread.stop();
    }
    this.#distribution.begin();
    return up;
  }

  #letGo(): void {
    for (const thread of this.#threads) thread.go();
  }

  // ---- one worker

  readonly #waiting = new Map<Thread, () => void>();

  /** Resolves when it is up, or gone. */
  #start(number: number, speaks: boolean): Promise<void> {
    const { common, spawn } = this.#settings;
    const thread = new Thread(
      { number, speaks, owners: this.#owners, common, spawn },
      { message: (from, message) => this.#message(from, message), gone: (from, code) => this.#ended(from, code) },
    );
    this.#threads.add(thread);
    this.#distribution.add(thread);
    if (number === 1 || this.#everUp) thread.go();
    return new Promise((resolve) => this.#waiting.set(thread, resolve));
  }

  /** Its program listens: nothing stands in the way of the others any more, and it is as good as up. */
  #listens(thread: Thread): void {
    this.#letGo();
    setTimeout(() => {
      this.#isUp(thread, { shown: undefined, drainTimeout: undefined, listening: true });
      this.#distribution.begin();
    }, LISTENS_MS).unref();
  }

  #isUp(thread: Thread, up: Up): void {
    if (thread.state !== "starting") return;
    thread.state = "up";
    this.#everUp = true;
    this.#up.resolve(up);
    this.#waiting.get(thread)?.();
    this.#waiting.delete(thread);
  }

  #message(thread: Thread, message: ToMain): void {
    switch (message.type) {
      case "call":
        this.#call(thread, message.call).then(
          (answer) => thread.answer(answer),
          (error: Error & { code?: string }) => {
            thread.answer({ ok: false, name: error.name, message: error.message, code: error.code });
          },
        );
        return;
      case "accept": {
        const shared = this.#distribution.get(message.listener);
        if (shared !== undefined) this.#distribution.accept(shared, thread, message.on);
        if (thread.state === "starting") this.#listens(thread);
        return;
      }
      case "limit": {
        const shared = this.#distribution.get(message.listener);
        if (shared !== undefined) this.#distribution.limit(shared, message.most);
        return;
      }
      case "close": {
        const shared = this.#distribution.get(message.listener);
        if (shared !== undefined) this.#close(shared, thread);
        return;
      }
      case "ended":
        return this.#distribution.ended();
      case "server":
        if (!this.#served) this.#settings.server();
        this.#served = true;
        return;
      case "serving":
        if (thread.state === "up" && !this.#shown) this.#settings.late({ ...message, listening: true });
        this.#shown = true;
        return this.#isUp(thread, { ...message, listening: true });
      case "loaded":
        this.#alone ||= message.alone;
        return this.#isUp(thread, { shown: undefined, drainTimeout: undefined, listening: message.listening });
      case "told":
        if ("families" in message.what) thread.counted = message.what.families;
        return thread.told(message.id, message.what);
      case "drained":
        this.#drained.get(thread)?.(message);
        return;
      default:
        thread.last = message;
        if (message.type === "died") thread.counted = message.families ?? thread.counted;
        // The others end with it, at once; it is on its way out.
        if (message.type === "exit") process.exit(message.code);
        // Before anything is up another try would come to the same.
        if (message.type === "failed" && !this.#everUp) this.#settings.failed(message.text, message.code);
    }
  }

  #ended(thread: Thread, code: number): void {
    this.#threads.delete(thread);
    this.#distribution.remove(thread);
    this.#gone = lasting(thread.counted, this.#gone);
    this.#waiting.get(thread)?.();
    this.#waiting.delete(thread);
    // Nobody knows what it was at.
    this.#drained.get(thread)?.({ cut: 1, tasks: 0, failed: false });
    if (this.#ending !== undefined) return;
    if (thread.last?.type === "died" || thread.last?.type === "failed") return this.#died(thread);
    // Its program is done: so are we, when all are. The code of one that was never let go says nothing.
    if (!thread.stopped) this.#code = Math.max(this.#code, code);
    if (this.#threads.size === 0) process.exit(this.#code);
    this.#up.resolve({ shown: undefined, drainTimeout: undefined, listening: false });
  }

  #died(thread: Thread): void {
    const { last, number, startedAt } = thread;
    const reason = last?.type === "died" ? last.reason : "it could not start";
    if (last?.type === "failed") logEvent("error", last.text);
    const now = performance.now();
    this.deaths++;
    this.#deaths = [...this.#deaths.filter((at) => now - at < WINDOW_MS), now];
    if (!this.#everUp) this.#settings.failed(`${this.#settings.common.program}: worker thread: ${reason}`, 1);
    if (this.#deaths.length >= MOST_DEATHS) return this.#giveUp();
    this.#pauseMs =
      now - startedAt >= LIVED_MS
        ? 0
        : Math.min(LONGEST_PAUSE_MS, this.#pauseMs === 0 ? FIRST_PAUSE_MS : this.#pauseMs * 2);
    logEvent("error", "a worker thread died, with its connections; another takes its place", {
      worker: number,
      reason,
      inMs: this.#pauseMs,
    });
    setTimeout(() => {
      if (this.#ending === undefined) void this.#start(number, false);
    }, this.#pauseMs);
  }

  #giveUp(): void {
    this.#gaveUp = true;
    logEvent("error", "worker threads die again and again: the process ends", {
      deaths: this.#deaths.length,
      withinSeconds: WINDOW_MS / 1000,
    });
    if (!askToEnd()) process.exit(1);
  }

  // ---- what workers ask for

  async #call(thread: Thread, call: Call): Promise<Answer> {
    switch (call.call) {
      case "listen":
        return { ok: true, value: await this.#listen(thread, call.wanted, call.nth) };
      case "opening":
        return { ok: true, value: await (this.#opening ??= this.#settings.opening(call.resolved, call.ready)) };
      case "stop": {
        const shared = this.#distribution.get(call.listener);
        return { ok: true, value: shared === undefined || this.#distribution.stop(shared, thread, call.all) };
      }
    }
  }

  async #listen(thread: Thread, wanted: Wanted, nth: number): Promise<Fed> {
    const key = `${wanted.by === "program" ? keyOf(wanted.options) : JSON.stringify(wanted.address)} #${nth}`;
    let opening = this.#shared.get(key);
    if (opening === undefined) {
      opening = this.#open(wanted);
      this.#shared.set(key, opening);
      opening.catch(() => this.#shared.delete(key));
    }
    const shared = await opening;
    if (shared.listener.fd < 0) {
      this.#shared.delete(key);
      return this.#listen(thread, wanted, nth);
    }
    shared.holders.add(thread);
    return { listener: shared.id, addr: shared.listener.addr };
  }

  async #open(wanted: Wanted): Promise<SharedListener> {
    const listener =
      wanted.by === "program" ? listen(wanted.options as ListenOptions) : await this.#settings.open(wanted.address);
    const shared = this.#distribution.share(listener);
    if (shared !== undefined) return shared;
    listener.close();
    throw new Error("worker threads share no more than 64 listening sockets at a time");
  }

  #close(shared: SharedListener, thread: Thread): void {
    this.#distribution.close(shared, thread);
  }

  // ---- all of them

  /** The same phases in each; gives how much had to be cut. */
  drain(): Promise<Drained> {
    return (this.#ending ??= this.#drainAll());
  }

  async #drainAll(): Promise<Drained> {
    // One that starts is not waited for: it has nothing yet.
    const all = [...this.#threads].filter(({ state }) => state === "up");
    const cuts = all.map((thread) => {
      const { promise, resolve } = Promise.withResolvers<Drained>();
      this.#drained.set(thread, resolve);
      thread.post({ type: "drain" });
      return promise;
    });
    const ends = await Promise.all(cuts);
    // What failed has been told by who failed.
    const failed = this.#gaveUp || ends.some((end) => end.failed) ? 1 : 0;
    const sum = (of: (end: Drained) => number): number => ends.reduce((sum, end) => sum + of(end), 0);
    return { cut: sum(({ cut }) => cut), tasks: sum(({ tasks }) => tasks) + failed };
  }

  /** For who ends servers (`handover.serving`). */
  async shutdown(): Promise<void> {
    await this.drain();
  }

  /** Asks all for their numbers. `forMs`: for how long somebody looks, if not as long as a scraper. */
  async collect(forMs?: number): Promise<void> {
    await this.#ask({ ask: "metrics", forMs });
  }

  /** What they last told, and what those have counted that are gone. */
  *counted(): Generator<readonly FamilySamples[]> {
    yield this.#gone;
    for (const { counted } of this.#threads) yield counted;
  }

  /** What each has told that is up. */
  *countedByThread(): Generator<{ number: number; counted: readonly FamilySamples[] }> {
    for (const { state, number, counted } of this.#threads) if (state === "up") yield { number, counted };
  }

  async #tasks(): Promise<(readonly TaskRow[])[]> {
    const told = await this.#ask({ ask: "tasks" });
    return told.flatMap((one) => (one !== undefined && "tasks" in one ? [one.tasks] : []));
  }

  #ask(what: Parameters<Thread["ask"]>[0]): Promise<Awaited<ReturnType<Thread["ask"]>>[]> {
    return Promise.all([...this.#threads].map((thread) => thread.ask(what, ANSWER_MS)));
  }

  /** A check in all of them: why it failed in one, undefined when it passed. Who is held up does not count. */
  check(name: string, signal: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve) => {
      const threads = [...this.#threads].filter(({ state }) => state === "up");
      let open = threads.length;
      let passed = false;
      if (open === 0) return resolve("no worker thread is up");
      for (const thread of threads) {
        void thread.ask({ ask: "check", name }, Number(0x7fffffff), signal).then((told) => {
          if (told !== undefined && "passed" in told) {
            if (!told.passed) return resolve(told.reason ?? "it failed");
            passed = true;
            setTimeout(resolve, LAGGARD_MS, undefined).unref();
          }
          if (--open === 0) resolve(passed ? undefined : "no worker thread answered");
        });
      }
    });
  }
}

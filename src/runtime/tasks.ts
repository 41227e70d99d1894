/**
 * Tasks: named pieces of concurrent work, as goroutines are, but counted and with a signal of their own. A task that
 * fails is logged with its name and ends alone; it never takes the process, or another task, with it.
 */
import { monotonicNow } from "./clock.ts";
import { logError } from "./log.ts";
import { requestContext, trackRequests } from "./request-context.ts";
import { authorFrames } from "./stack-frames.ts";
import { callBegan, callEnded, sampling, workSettled } from "./stall-clock.ts";

const running = new Set<Task>();

/** What few tasks are asked for. */
interface Asked {
  controller: AbortController | undefined;
  finished: PromiseWithResolvers<void> | undefined;
}

export class Task {
  readonly name: string;
  /**
   * Milliseconds of the monotonic clock when it began: an age must not jump when somebody sets the time. Whole ones, which
   * cost no memory beside the field for 24 days.
   */
  readonly #began: number = Math.floor(monotonicNow());
  #asked: Asked | undefined;

  /** Use `go`. */
  constructor(name: string) {
    this.name = name;
  }

  /** When it began, as `Date.now()` counts. */
  get startedAt(): number {
    return Math.round(performance.timeOrigin + this.#began);
  }

  /** How long it has been running at `now` of the monotonic clock, in milliseconds. @internal */
  ageAt(now: number): number {
    return now - this.#began;
  }

  /** Aborted by `cancel`, and when the signal that the task inherits is. Made when first asked for. */
  get signal(): AbortSignal {
    return Task.#controllerOf(this).signal;
  }

  /** Resolves when the task has ended, whether well or not; never rejects. Made when first asked for. */
  get finished(): Promise<void> {
    if (!running.has(this)) return Promise.resolve();
    return (Task.#askedOf(this).finished ??= Promise.withResolvers()).promise;
  }

  /** Asks the task to end: aborts its signal with `reason`. It ends when its function does. */
  cancel(reason?: unknown): void {
    Task.#controllerOf(this).abort(reason ?? new DOMException(`task "${this.name}" was cancelled`, "AbortError"));
  }

  /**
   * Runs the function that the task is. Not an async function, which would wait beside the one it waits for: a parked
   * task is 350 bytes smaller so. @internal
   */
  run(fn: (task: this) => unknown): void {
    running.add(this);
    if (this.#began >= sampling.at) sampling.sample(this.#began);
    const before = callBegan(this);
    let result: unknown;
    try {
      result = fn(this);
    } catch (error) {
      callEnded(this, before);
      Task.#end(this);
      this.failed(error);
      return;
    }
    callEnded(this, before);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") {
      Task.#end(this);
      this.succeeded();
      return;
    }
    // Bound, they and what they need are 56 bytes smaller than closures would be.
    Promise.resolve(result).then(this.fulfilled.bind(this), this.rejected.bind(this));
  }

  /** @internal */
  protected fulfilled(): void {
    workSettled(this);
    Task.#end(this);
    this.succeeded();
  }

  /** @internal */
  protected rejected(error: unknown): void {
    workSettled(this);
    Task.#end(this);
    this.failed(error);
  }

  /** For kinds of tasks that clean up. Must not throw. */
  protected succeeded(): void {}

  /** Logs why the task failed; a kind of tasks that knows more says more. Must not throw. */
  protected failed(error: unknown): void {
    // A task that was cancelled and says so with its own signal's reason did what it was asked.
    const signal = this.#asked?.controller?.signal;
    const cancelled = signal?.aborted && error === signal.reason;
    if (!cancelled) logError(`task "${this.name}" failed`, error);
  }

  // Static, as those two are not private: objects of a class with private methods are 8 bytes larger.
  static #end(task: Task): void {
    running.delete(task);
    task.#asked?.finished?.resolve();
  }

  static #askedOf(task: Task): Asked {
    return (task.#asked ??= { controller: undefined, finished: undefined });
  }

  static #controllerOf(task: Task): AbortController {
    return (Task.#askedOf(task).controller ??= new AbortController());
  }
}

/** A task under somebody else's signal. It listens there only as long as it runs: such signals may live for ever. */
class InheritingTask extends Task {
  readonly #parent: AbortSignal;
  readonly #abort = (): void => this.cancel(this.#parent.reason);

  constructor(name: string, parent: AbortSignal) {
    super(name);
    this.#parent = parent;
    if (parent.aborted) this.#abort();
    else parent.addEventListener("abort", this.#abort, { once: true });
  }

  protected override succeeded(): void {
    this.#parent.removeEventListener("abort", this.#abort);
  }

  protected override failed(error: unknown): void {
    super.failed(error);
    this.#parent.removeEventListener("abort", this.#abort);
  }
}

/** A task that a request's handler started: the end of a server waits for it as for the request. */
class RequestTask extends InheritingTask {}

export interface GoOptions {
  /**
   * The task's signal aborts when this one does. Default: the signal of the request that the caller belongs to, also
   * after an await; a task that is to outlive its request is given another, of the program's own.
   */
  signal?: AbortSignal;
  /** The signal is that of the request which starts the task. @internal */
  ofRequest?: boolean;
}

/**
 * Starts a named task: `fn` runs at once, up to its first await, with the task's signal.
 *
 * Started inside a request, the task inherits the request's signal: it is told to end when the client goes away, when
 * a limit fires, when the server ends.
 *
 * ```ts
 * const task = go("refresh", async (signal) => {
 *   while (!signal.aborted) await refresh({ signal });
 * });
 * task.cancel();
 * await task.finished;
 * ```
 */
export function go(name: string, fn: (signal: AbortSignal) => unknown, options?: GoOptions): Task {
  let parent = options?.signal;
  let ofRequest = options?.ofRequest === true;
  if (parent === undefined) {
    // Whoever came here by another way than `slipway`: from the next request on, awaits are seen through.
    trackRequests();
    parent = requestContext.current?.signal();
    ofRequest = parent !== undefined;
  }
  const task = parent === undefined ? new Task(name) : new (ofRequest ? RequestTask : InheritingTask)(name, parent);
  if (origins !== undefined) {
    const origin: { stack?: string } = {};
    Error.captureStackTrace(origin, go);
    origins.set(task, origin);
  }
  task.run(() => fn(task.signal));
  return task;
}

/** The task-leak gauge: how many tasks are running. */
export function taskCount(): number {
  return running.size;
}

/** The running tasks, oldest first. */
export function tasks(): Task[] {
  return [...running];
}

/** The same without a copy. @internal */
export function runningTasks(): Iterable<Task> {
  return running;
}

/** Tells `visit` of everything it knows that runs; `count` of them, 1 unless said, of one name and age. */
export type TaskSource = (visit: (name: string, ageMs: number, count?: number) => void) => void;

/** Whoever serves something without Task objects adds itself. */
export const taskSources = new Set<TaskSource>();

/** Whether a task was started by `go`: one of a connection lasts as long as its peer likes. @internal */
export function startedByGo(task: Task): boolean {
  return task.constructor === Task || task instanceof InheritingTask;
}

/** Whether a request's handler started the task. @internal */
export function startedByRequest(task: Task): boolean {
  return task instanceof RequestTask;
}

/** Where tasks were started, while that is remembered: a stack costs some microseconds and a kilobyte each. */
let origins: WeakMap<Task, { stack?: string }> | undefined;

/** Remembers, from now on, where each task is started (`--trace-tasks`). */
export function setTraceTasks(on: boolean): void {
  if (on) origins ??= new WeakMap();
  else origins = undefined;
}

/** Where `go` was called for a task: `refreshAll (/srv/app.ts:12:3)`; undefined when that is not remembered. */
export function taskOrigin(task: Task): string | undefined {
  return authorFrames(origins?.get(task)?.stack ?? "", 1)[0];
}

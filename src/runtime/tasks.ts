/**
 * Tasks: named pieces of concurrent work, as goroutines are, but counted and with a signal of their own. A task that
 * fails is logged with its name and ends alone; it never takes the process, or another task, with it.
 */
import { logError } from "./log.ts";

const running = new Set<Task>();

export class Task {
  readonly name: string;
  /** `Date.now()` when it began. */
  readonly startedAt: number = Date.now();
  #controller: AbortController | undefined;
  #ended = false;
  #finished: PromiseWithResolvers<void> | undefined;

  /** Use `go`. */
  constructor(name: string) {
    this.name = name;
  }

  /** Aborted by `cancel`. Made when first asked for. */
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  /** Resolves when the task has ended, whether well or not; never rejects. Made when first asked for. */
  get finished(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return (this.#finished ??= Promise.withResolvers()).promise;
  }

  /** Asks the task to end: aborts its signal with `reason`. It ends when its function does. */
  cancel(reason?: unknown): void {
    (this.#controller ??= new AbortController()).abort(
      reason ?? new DOMException(`task "${this.name}" was cancelled`, "AbortError"),
    );
  }

  /**
   * Runs the function that the task is. Not an async function, which would wait beside the one it waits for: a parked
   * task is 350 bytes smaller so. @internal
   */
  run(fn: (task: this) => unknown): void {
    running.add(this);
    let result: unknown;
    try {
      result = fn(this);
    } catch (error) {
      this.#end();
      this.failed(error);
      return;
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") {
      this.#end();
      this.succeeded();
      return;
    }
    Promise.resolve(result).then(
      () => {
        this.#end();
        this.succeeded();
      },
      (error) => {
        this.#end();
        this.failed(error);
      },
    );
  }

  /** For kinds of tasks that clean up. Must not throw. */
  protected succeeded(): void {}

  /** Logs why the task failed; a kind of tasks that knows more says more. Must not throw. */
  protected failed(error: unknown): void {
    // A task that was cancelled and says so with its own signal's reason did what it was asked.
    const cancelled = this.#controller?.signal.aborted && error === this.#controller.signal.reason;
    if (!cancelled) logError(`task "${this.name}" failed`, error);
  }

  #end(): void {
    running.delete(this);
    this.#ended = true;
    this.#finished?.resolve();
  }
}

/**
 * Starts a named task: `fn` runs at once, up to its first await, with the task's signal.
 *
 * ```ts
 * const task = go("refresh", async (signal) => {
 *   while (!signal.aborted) await refresh({ signal });
 * });
 * task.cancel();
 * await task.finished;
 * ```
 */
export function go(name: string, fn: (signal: AbortSignal) => unknown): Task {
  const task = new Task(name);
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

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
  /** Resolves when the task has ended, whether well or not; never rejects. */
  readonly finished: Promise<void>;
  #controller: AbortController | undefined;

  /** Use `go`. */
  constructor(name: string, fn: (task: Task) => unknown) {
    this.name = name;
    running.add(this);
    this.finished = this.#run(fn);
  }

  /** Aborted by `cancel`. Made when first asked for. */
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  /** Asks the task to end: aborts its signal with `reason`. It ends when its function does. */
  cancel(reason?: unknown): void {
    (this.#controller ??= new AbortController()).abort(
      reason ?? new DOMException(`task "${this.name}" was cancelled`, "AbortError"),
    );
  }

  async #run(fn: (task: Task) => unknown): Promise<void> {
    try {
      await fn(this);
    } catch (error) {
      // A task that was cancelled and says so with its own signal's reason did what it was asked.
      const cancelled = this.#controller?.signal.aborted && error === this.#controller.signal.reason;
      if (!cancelled) logError(`task "${this.name}" failed`, error);
    } finally {
      running.delete(this);
    }
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
  return new Task(name, (task) => fn(task.signal));
}

/** The task-leak gauge: how many tasks are running. */
export function taskCount(): number {
  return running.size;
}

/** The running tasks, oldest first. */
export function tasks(): Task[] {
  return [...running];
}

/**
 * Tasks at the end of a server, when every request is answered: those that requests have started are work in flight, and
 * are waited for; the program's own, which may run for ever, are told to end.
 */
import { startedByGo, startedByRequest, type Task, tasks } from "../runtime/tasks.ts";

/** How long the program's own tasks may take to hear that it ends. */
const HEAR_MS = 1000;

/** Gives the tasks of requests that were not done within this many milliseconds. */
export async function endTasks(withinMs: number): Promise<readonly Task[]> {
  const all = tasks().filter(startedByGo);
  const inFlight = all.filter(startedByRequest);
  const own = all.filter((task) => !startedByRequest(task));
  const reason = new DOMException("the server ends", "AbortError");
  for (const task of own) task.cancel(reason);
  const finished = (some: readonly Task[]): Promise<unknown> => Promise.all(some.map((task) => task.finished));
  await Promise.all([atMost(withinMs, finished(inFlight)), atMost(Math.min(withinMs, HEAR_MS), finished(own))]);
  const running = new Set(tasks());
  const left = inFlight.filter((task) => running.has(task));
  for (const task of left) task.cancel(reason);
  return left;
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => {
    if (Number.isFinite(ms)) timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([work, passed]);
  clearTimeout(timer);
}

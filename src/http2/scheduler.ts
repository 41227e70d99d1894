/**
 * Which stream may send the next frame (RFC 9218, 10): the most urgent first; of equally urgent ones, those that are of use
 * piece by piece take turns, a frame each, and the others go one after the other, as they came.
 */
import { type Priority, URGENCIES } from "./priority.ts";

export interface Scheduled {
  readonly priority: Priority;
  /** It stands in the queue of its urgency. */
  scheduled: boolean;
}

export class Scheduler<T extends Scheduled> {
  readonly #queues: (T[] | undefined)[] = [];
  /** Streams that have something to send. */
  size = 0;

  add(stream: T): void {
    if (stream.scheduled) return;
    stream.scheduled = true;
    const { urgency } = stream.priority;
    const queue = this.#queues[urgency];
    if (queue === undefined) this.#queues[urgency] = [stream];
    else queue.push(stream);
    this.size++;
  }

  remove(stream: T): void {
    if (!stream.scheduled) return;
    stream.scheduled = false;
    this.size--;
    const queue = this.#queues[stream.priority.urgency];
    const at = queue?.indexOf(stream) ?? -1;
    if (at >= 0) queue?.splice(at, 1);
  }

  /** Whose turn it is; it stays where it is. */
  next(): T | undefined {
    if (this.size === 0) return undefined;
    for (let urgency = 0; urgency < URGENCIES; urgency++) {
      const queue = this.#queues[urgency];
      if (queue !== undefined && queue.length > 0) return queue[0];
    }
    return undefined;
  }

  /** It has sent a frame, and has more. */
  sent(stream: T): void {
    if (!stream.priority.incremental) return;
    const queue = this.#queues[stream.priority.urgency];
    if (queue === undefined || queue.length < 2 || queue[0] !== stream) return;
    queue.shift();
    queue.push(stream);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const queue of this.#queues) if (queue !== undefined) yield* queue;
  }
}

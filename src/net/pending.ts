/**
 * Operations that wait, first come, first served: a linked list whose head knows its tail, so that a connection needs one
 * field for none, one or many, and nothing is allocated beside the operations.
 */
export interface Link<T> {
  next: T | undefined;
  /** The tail; valid in the head only. */
  last: T | undefined;
}

/** Puts an item behind the others; returns the head. */
export function enqueue<T extends Link<T>>(head: T | undefined, item: T): T {
  if (head === undefined) {
    item.last = item;
    return item;
  }
  if (head.last !== undefined) head.last.next = item;
  head.last = item;
  return head;
}

/** Takes the head away; returns the next head. */
export function dequeue<T extends Link<T>>(head: T): T | undefined {
  const { next } = head;
  if (next !== undefined) next.last = head.last;
  return next;
}

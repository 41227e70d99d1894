/** Why a request ended before its time: what `request.signal` aborts with, and what a body that is being read throws. */

/** The client went away. */
export function clientGone(): DOMException {
  return new DOMException("the client went away before the response was sent", "AbortError");
}

const byServer = new WeakSet<object>();

/** `drainTimeout` passed, or the server was closed at once. */
export function serverEnded(why: string): DOMException {
  const reason = new DOMException(`the server ${why} before the response was sent`, "AbortError");
  byServer.add(reason);
  return reason;
}

/** Whether it was the server that ended. */
export function isServerEnd(reason: unknown): boolean {
  return typeof reason === "object" && reason !== null && byServer.has(reason);
}

/** `readTimeout`. */
export function bodyTimedOut(): DOMException {
  return new DOMException("the request's body did not arrive within readTimeout", "TimeoutError");
}

/** `writeTimeout`, before a response. */
export function notAnswered(): DOMException {
  return new DOMException("the request was not answered within writeTimeout", "TimeoutError");
}

/** `writeTimeout`, of a client that does not read. */
export function notRead(): DOMException {
  return new DOMException("the client did not read the response within writeTimeout", "TimeoutError");
}

/** `maxBodyBytes`. */
export function bodyTooLarge(limit: number): RangeError {
  return new RangeError(`the request's body is larger than maxBodyBytes, ${limit} bytes`);
}

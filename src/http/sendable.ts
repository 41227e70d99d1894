/** What a handler may return, for every version of HTTP. */
import {
  isForeignResponse,
  isLightResponse,
  responseBody,
  responseBodyUsed,
  responseStatus,
  toLightResponse,
} from "../fetch/mod.ts";

/** A handler returned something that is no Response, or looks like one without being one. */
export class NotAResponse extends TypeError {
  readonly #hollow: boolean;

  constructor(value: unknown, hollow = false) {
    const what = hollow ? "what only looks like one: no constructor made it" : nameOf(value);
    super(`the handler must return a Response or a promise of one, not ${what}`);
    this.#hollow = hollow;
  }

  /** It has a Response's prototype, and nothing behind it. */
  get hollow(): boolean {
    return this.#hollow;
  }
}

/** What a handler returned, as a light Response that can be sent; a TypeError of one sentence for anything else. */
export function lightResponse(value: unknown): Response {
  const response = isLightResponse(value) ? value : isForeignResponse(value) ? fromForeign(value) : undefined;
  if (response === undefined) throw new NotAResponse(value);
  if (responseStatus(response) === 0) throw new TypeError("the handler returned a network error (Response.error())");
  if (responseBodyUsed(response)) {
    throw new TypeError("the handler returned a Response whose body was already read; return a new one, or clone it");
  }
  return response;
}

function fromForeign(value: globalThis.Response): Response {
  try {
    void value.status;
  } catch {
    // A getter that finds no private fields (`Object.create(Response.prototype)`).
    throw new NotAResponse(value, true);
  }
  return toLightResponse(value);
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const name: unknown = typeof value === "object" ? value.constructor?.name : undefined;
  return typeof name === "string" ? `an object of class ${name}` : `a ${typeof value}`;
}

/** What the handler says in a Content-Length; -1 for nothing that is one. */
export function announcedLength(fields: readonly string[] | null): number {
  if (fields === null) return -1;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "content-length" && /^\d{1,15}$/.test(fields[i + 1])) return Number(fields[i + 1]);
  }
  return -1;
}

/** A response that came too late: its stream is told that nobody reads it. */
export function dropResponse(value: unknown): void {
  if (!isLightResponse(value) && !isForeignResponse(value)) return;
  const body = isLightResponse(value) ? responseBody(value) : value.body;
  if (body instanceof ReadableStream && !body.locked) {
    body.cancel(new DOMException("the client went away", "AbortError")).catch(() => {});
  }
}

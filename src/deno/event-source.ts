/**
 * `EventSource`, the client of event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html. It is our
 * `fetch` that it asks with, but a stream may be silent for as long as it likes: its body has no timeout.
 */
import { createHttpClient, type HttpClient } from "../client/http-client.ts";
import { defineHandlers } from "./event-handlers.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;
/** As in Deno; the server's `retry` says otherwise. */
const RETRY_MS = 5_000;
/** A line, or an event, longer than this is no event: the connection fails, as memory would not hold it. */
const MAX_EVENT = 64 << 20;

interface Init {
  readonly withCredentials?: boolean;
  /** Deno's own. */
  readonly headers?: HeadersInit;
}

export class EventSource extends EventTarget {
  readonly url: string;
  readonly withCredentials: boolean;
  readonly #headers: HeadersInit | undefined;
  readonly #abort = new AbortController();
  #client: HttpClient | undefined;
  #state: number = CONNECTING;
  #retryMs = RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastId = "";

  constructor(url: string | URL, init: Init = {}) {
    super();
    const parsed = URL.parse(String(url));
    if (parsed === null) throw new DOMException(`Invalid URL: '${String(url)}'`, "SyntaxError");
    this.url = parsed.href;
    this.withCredentials = Boolean(init.withCredentials);
    this.#headers = init.headers;
    void this.#connect();
  }

  get readyState(): number {
    return this.#state;
  }

  close(): void {
    this.#state = CLOSED;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#client?.close();
    this.#client = undefined;
  }

  get [Symbol.toStringTag](): string {
    return "EventSource";
  }

  async #connect(): Promise<void> {
    try {
      this.#client ??= createHttpClient({ bodyTimeout: "none" });
      const headers = new Headers(this.#headers);
      headers.set("accept", "text/event-stream");
      if (this.#lastId !== "") headers.set("last-event-id", this.#lastId);
      const init = { headers, cache: "no-store", signal: this.#abort.signal, client: this.#client } as RequestInit;
      const response = await fetch(this.url, init);
      const type = response.headers.get("content-type") ?? "";
      if (response.status !== 200 || !/^text\/event-stream\b/i.test(type)) {
        await response.body?.cancel();
        return this.#fail();
      }
      if (this.#state === CLOSED) return;
      this.#state = OPEN;
      this.dispatchEvent(new Event("open"));
      if (response.body !== null) await this.#read(response.body, new URL(response.url || this.url).origin);
    } catch {
      // It is tried again, whatever it was: as the standard has it.
    }
    this.#again();
  }

  async #read(body: ReadableStream<Uint8Array>, origin: string): Promise<void> {
    const decoder = new TextDecoder();
    const parser = new EventParser();
    for await (const chunk of body) {
      for (const said of parser.push(decoder.decode(chunk, { stream: true }))) {
        if (this.#state === CLOSED) return;
        if ("retry" in said) {
          this.#retryMs = said.retry;
          continue;
        }
        this.#lastId = said.id;
        if (said.data === undefined) continue;
        const { type, data, id: lastEventId } = said;
        this.dispatchEvent(new MessageEvent(type, { data, origin, lastEventId }));
      }
    }
  }

  #again(): void {
    if (this.#state === CLOSED) return;
    this.#state = CONNECTING;
    this.dispatchEvent(new Event("error"));
    if (this.#state !== CONNECTING) return;
    this.#timer = setTimeout(() => void this.#connect(), this.#retryMs);
  }

  #fail(): void {
    if (this.#state === CLOSED) return;
    this.close();
    this.dispatchEvent(new Event("error"));
  }
}

const states = { CONNECTING, OPEN, CLOSED };
for (const target of [EventSource, EventSource.prototype]) {
  for (const [name, value] of Object.entries(states)) Object.defineProperty(target, name, { value, enumerable: true });
}
defineHandlers(EventSource.prototype, ["open", "message", "error"]);

/** What a stream says: an event (without data it only moves the id on), or how long to wait before it is asked again. */
type Said =
  | { readonly type: string; readonly data: string | undefined; readonly id: string }
  | { readonly retry: number };

/** Lines, however they are cut into pieces: "9.2.6 Interpreting an event stream". */
class EventParser {
  #rest = "";
  #first = true;
  #data: string[] = [];
  #size = 0;
  #type = "";
  #id = "";

  *push(text: string): Generator<Said> {
    let whole = this.#rest + text;
    if (this.#first && whole !== "") {
      whole = whole.replace(/^\uFEFF/, "");
      this.#first = false;
    }
    if (whole.length + this.#size > MAX_EVENT) throw new RangeError("an event of the stream is too large");
    // A CR at the end may be half of a line's end.
    const lines = whole.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const said = this.#line(line);
      if (said !== undefined) yield said;
    }
  }

  #line(line: string): Said | undefined {
    if (line === "") return this.#event();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    switch (field) {
      case "event":
        this.#type = value;
        return undefined;
      case "data":
        this.#data.push(value);
        this.#size += value.length;
        return undefined;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        return undefined;
      case "retry":
        return /^\d+$/.test(value) ? { retry: Number(value) } : undefined;
      default:
        return undefined;
    }
  }

  #event(): Said {
    const data = this.#data.length === 0 ? undefined : this.#data.join("\n");
    const said = { type: this.#type === "" ? "message" : this.#type, data, id: this.#id };
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    return said;
  }
}

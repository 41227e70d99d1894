/**
 * The live page's events (HTML, 9.2: server-sent events): one a second, made once for all who look. While nobody does
 * there is no timer, and nothing is read.
 */
import { logError } from "../../runtime/log.ts";

const PERIOD_MS = 1000;
/** The admin port takes 32 connections: probes and scrapers must find room beside the pages that somebody left open. */
const MOST_VIEWERS = 12;
/** A viewer that does not keep up misses snapshots; it has totals, so the next one is as good. */
const HELD = 2;

type Viewer = ReadableStreamDefaultController<Uint8Array>;

export class LiveFeed {
  readonly #read: () => Promise<object>;
  readonly #period: number;
  readonly #viewers = new Set<Viewer>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  /** The last one, while somebody looks: who comes now need not wait for the next. */
  #last: Uint8Array | undefined;
  #closed = false;

  constructor(read: () => Promise<object>, period: number = PERIOD_MS) {
    this.#read = read;
    this.#period = period;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Whether it reads, or is going to. */
  get running(): boolean {
    return this.#timer !== undefined || this.#reading;
  }

  get full(): boolean {
    return this.#viewers.size >= MOST_VIEWERS;
  }

  /** A stream for one more viewer. */
  watch(): ReadableStream<Uint8Array> {
    let viewer: Viewer;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          viewer = controller;
          this.#viewers.add(viewer);
          viewer.enqueue(this.#last ?? encoded("retry: 1000\n\n"));
          if (!this.running) void this.#tick();
        },
        cancel: () => this.#leave(viewer),
      },
      { highWaterMark: HELD },
    );
  }

  close(): void {
    this.#closed = true;
    for (const viewer of this.#viewers) {
      this.#leave(viewer);
      viewer.close();
    }
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = undefined;
  }

  readonly #tick = async (): Promise<void> => {
    const due = performance.now() + this.#period;
    this.#timer = undefined;
    this.#reading = true;
    try {
      const event = encoded(`retry: 1000\ndata: ${JSON.stringify(await this.#read())}\n\n`);
      if (this.#viewers.size > 0) this.#last = event;
      for (const viewer of this.#viewers) if ((viewer.desiredSize ?? 0) > 0) viewer.enqueue(event);
    } catch (error) {
      logError("the live page could not be told what the server does", error);
    }
    this.#reading = false;
    if (this.#viewers.size === 0 || this.#closed) return;
    this.#timer = setTimeout(this.#tick, Math.max(this.#period / 10, due - performance.now()));
    this.#timer.unref();
  };
}

function encoded(text: string): Uint8Array {
  return Buffer.from(text);
}

/** A response's body as its Response has it: still arriving, or there and to be refused once its call was aborted. */
import type { NetworkBody } from "../fetch/mod.ts";
import { IncomingBody } from "../http/incoming-body.ts";
import type { Carrier } from "./connection.ts";

interface Watched {
  readonly connection: Carrier;
  readonly body: IncomingBody;
  claimed: boolean;
}

/** A Response that nobody reads and nobody has any more would keep its connection for ever, paused. */
const unread = new FinalizationRegistry<Watched>(({ connection, body, claimed }) => {
  if (!claimed) connection.drop(body);
});

export class ReceivedBody implements NetworkBody {
  readonly #body: Uint8Array<ArrayBuffer> | IncomingBody;
  readonly #signal: AbortSignal | null;
  readonly #watched: Watched | undefined;

  constructor(body: Uint8Array<ArrayBuffer> | IncomingBody, connection: Carrier, signal: AbortSignal | null) {
    this.#body = body;
    this.#signal = signal;
    if (!(body instanceof IncomingBody) || body.complete) return;
    this.#watched = { connection, body, claimed: false };
    unread.register(this, this.#watched);
  }

  openBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#claim();
    const body = this.#body;
    const signal = this.#signal;
    if (signal?.aborted) return new ReadableStream({ start: (controller) => controller.error(signal.reason) });
    if (body instanceof IncomingBody) return body.stream();
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (body.length > 0) controller.enqueue(body);
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
  }

  readAll(): Promise<Uint8Array<ArrayBuffer>> {
    this.#claim();
    if (this.#signal?.aborted) return Promise.reject(this.#signal.reason);
    return this.#body instanceof IncomingBody ? this.#body.readAll() : Promise.resolve(this.#body);
  }

  #claim(): void {
    if (this.#watched !== undefined) this.#watched.claimed = true;
  }
}

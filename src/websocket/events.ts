/**
 * Events and their target, light: Node's own cost a microsecond and hundreds of bytes an event. They look like the
 * standard's, and `instanceof` finds what it expects: the prototypes inherit the host's, all of whose members are here.
 */
import { describe, INSPECT } from "../fetch/inspect.ts";
import { logError } from "../runtime/log.ts";
import { callBegan, callEnded } from "../runtime/stall-clock.ts";
import { hostPrototype } from "./host-globals.ts";

/** What all events have. */
interface SocketEvent {
  readonly type: string;
  target: unknown;
  currentTarget: unknown;
  readonly cancelBubble: boolean;
}

const OURS = Symbol("event");

/** A class of events of its own, so that each may inherit from the host's class of its name. */
function eventClass(prototype: object) {
  class SocketEvent {
    readonly type: string;
    target: unknown = null;
    currentTarget: unknown = null;
    readonly timeStamp: number;
    [OURS] = false;

    constructor(type: string, timeStamp: number) {
      this.type = type;
      this.timeStamp = timeStamp;
    }

    get srcElement(): unknown {
      return this.target;
    }
    get isTrusted(): boolean {
      return true;
    }
    get bubbles(): boolean {
      return false;
    }
    get cancelable(): boolean {
      return false;
    }
    get composed(): boolean {
      return false;
    }
    get defaultPrevented(): boolean {
      return false;
    }
    get returnValue(): boolean {
      return true;
    }
    get cancelBubble(): boolean {
      return this[OURS];
    }
    /** AT_TARGET while it is told, NONE afterwards. */
    get eventPhase(): number {
      return this.currentTarget === null ? 0 : 2;
    }
    composedPath(): unknown[] {
      return this.currentTarget === null ? [] : [this.target];
    }
    preventDefault(): void {}
    stopPropagation(): void {}
    stopImmediatePropagation(): void {
      this[OURS] = true;
    }

    /** What is shown of it: the fields. The host's way to show an event takes only its own. */
    [INSPECT](depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
      const { target: _, currentTarget: __, [OURS]: ___, ...shown } = this;
      return describe(this.constructor.name, shown, depth, options, inspect);
    }
  }
  Object.setPrototypeOf(SocketEvent.prototype, prototype);
  return SocketEvent;
}

export class OpenEvent extends eventClass(Event.prototype) {}

export class MessageEvent extends eventClass(hostPrototype("MessageEvent", Event.prototype)) {
  readonly data: unknown;
  constructor(data: unknown, timeStamp: number) {
    super("message", timeStamp);
    this.data = data;
  }
  get origin(): string {
    return "";
  }
  get lastEventId(): string {
    return "";
  }
  get source(): null {
    return null;
  }
  get ports(): readonly unknown[] {
    return NO_PORTS;
  }
}

const NO_PORTS: readonly unknown[] = Object.freeze([]);

export class CloseEvent extends eventClass(hostPrototype("CloseEvent", Event.prototype)) {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  constructor(code: number, reason: string, wasClean: boolean, timeStamp: number) {
    super("close", timeStamp);
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** As an ErrorEvent of Deno's. */
export class ErrorEvent extends eventClass(hostPrototype("ErrorEvent", Event.prototype)) {
  readonly message: string;
  readonly error: unknown;
  constructor(error: Error, timeStamp: number) {
    super("error", timeStamp);
    this.message = error.message;
    this.error = error;
  }
  get filename(): string {
    return "";
  }
  get lineno(): number {
    return 0;
  }
  get colno(): number {
    return 0;
  }
}

for (const [event, name] of [
  [OpenEvent, "Event"],
  [MessageEvent, "MessageEvent"],
  [CloseEvent, "CloseEvent"],
  [ErrorEvent, "ErrorEvent"],
] as const) {
  Object.defineProperty(event, "name", { value: name });
  Object.defineProperty(event.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

type Callback = ((event: never) => unknown) | { handleEvent(event: never): unknown };

interface Listener {
  readonly type: string;
  readonly callback: Callback;
  readonly capture: boolean;
  readonly once: boolean;
  /** Set by an `on…` attribute, which keeps its place when it is given another function. */
  readonly attribute: boolean;
  removed: boolean;
}

export class SocketEventTarget {
  /** Replaced, not changed, so that who is being told of an event is told in peace. */
  #listeners: readonly Listener[] = NO_LISTENERS;

  addEventListener(
    type: string,
    callback: Callback | null,
    options?: boolean | { capture?: boolean; once?: boolean; signal?: AbortSignal },
  ): void {
    if (callback === null || callback === undefined) return;
    const { capture = false, once = false, signal } = typeof options === "object" && options !== null ? options : {};
    if (signal?.aborted) return;
    this.#add(String(type), callback, options === true || capture, once, false);
    signal?.addEventListener("abort", () => this.removeEventListener(type, callback, options), { once: true });
  }

  removeEventListener(type: string, callback: Callback | null, options?: boolean | { capture?: boolean }): void {
    const capture = typeof options === "object" && options !== null ? (options.capture ?? false) : options === true;
    this.#remove((one) => one.type === type && one.callback === callback && one.capture === capture && !one.attribute);
  }

  /** Tells the listeners; what they throw is logged, and nobody else notices. */
  dispatchEvent(event: object): boolean {
    const { type } = event as { type: string };
    const ours = OURS in event ? (event as unknown as SocketEvent) : undefined;
    for (const listener of this.#listeners) {
      if (listener.type !== type || listener.removed) continue;
      if (listener.once) this.#remove((one) => one === listener);
      if (ours !== undefined) ours.target = ours.currentTarget = this;
      const before = callBegan(A_LISTENER);
      try {
        const { callback } = listener;
        if (typeof callback === "function") callback.call(this, event as never);
        else callback.handleEvent(event as never);
      } catch (error) {
        logError(`a WebSocket's "${type}" listener failed`, error);
      } finally {
        callEnded(A_LISTENER, before);
      }
      if (ours?.cancelBubble) break;
    }
    if (ours !== undefined) ours.currentTarget = null;
    return true;
  }

  /** Whether anybody listens. */
  protected listens(type: string): boolean {
    return this.#listeners.some((one) => one.type === type);
  }

  /** The function of an `on…` attribute. */
  protected attribute(type: string): Callback | null {
    return this.#listeners.find((one) => one.attribute && one.type === type)?.callback ?? null;
  }
  protected setAttribute(type: string, callback: unknown): void {
    const usable = typeof callback === "function" ? (callback as Callback) : null;
    const at = this.#listeners.findIndex((one) => one.attribute && one.type === type);
    if (at < 0) {
      if (usable !== null) this.#add(type, usable, false, false, true);
    } else if (usable === null) this.#remove((one) => one === this.#listeners[at]);
    else {
      this.#listeners[at].removed = true;
      const callbacks = this.#listeners.slice();
      callbacks[at] = { type, callback: usable, capture: false, once: false, attribute: true, removed: false };
      this.#listeners = callbacks;
    }
  }

  #add(type: string, callback: Callback, capture: boolean, once: boolean, attribute: boolean): void {
    const same = this.#listeners.some(
      (one) => one.type === type && one.callback === callback && one.capture === capture && one.attribute === attribute,
    );
    if (!same) this.#listeners = [...this.#listeners, { type, callback, capture, once, attribute, removed: false }];
  }

  #remove(which: (listener: Listener) => boolean): void {
    this.#listeners = this.#listeners.filter((one) => {
      if (!which(one)) return true;
      one.removed = true;
      return false;
    });
  }
}

const NO_LISTENERS: readonly Listener[] = [];
/** Who holds up the thread, where a listener does. */
const A_LISTENER = "a WebSocket's listener";
Object.setPrototypeOf(SocketEventTarget.prototype, hostPrototype("WebSocket", EventTarget.prototype));

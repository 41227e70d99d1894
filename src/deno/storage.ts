/**
 * `localStorage` and `sessionStorage` (https://html.spec.whatwg.org/multipage/webstorage.html), both in this process's
 * memory. Deno keeps the former on its user's disk, for each project; a server's disk is not ours to write on, so a
 * program that writes is told once.
 */
import { logLine } from "../runtime/log.ts";

/** Less than this, as in Deno: UTF-8 of keys and values. */
const MAX_BYTES = 10 << 20;

let makes = false;

interface Kept {
  readonly items: Map<string, string>;
  bytes: number;
  /** Told before something is kept. */
  readonly written: () => void;
}

const kept = new WeakMap<object, Kept>();

export class Storage {
  [name: string]: unknown;

  constructor() {
    if (!makes) throw new TypeError("Illegal constructor");
  }

  get length(): number {
    return keptBy(this).items.size;
  }

  key(index: number): string | null {
    return [...keptBy(this).items.keys()][Math.trunc(Number(index)) || 0] ?? null;
  }

  getItem(key: string): string | null {
    return keptBy(this).items.get(String(key)) ?? null;
  }

  setItem(key: string, value: string): void {
    const own = keptBy(this);
    const [name, text] = [String(key), String(value)];
    const old = own.items.get(name);
    const more = Buffer.byteLength(text) + (old === undefined ? Buffer.byteLength(name) : -Buffer.byteLength(old));
    if (own.bytes + more >= MAX_BYTES) throw new DOMException("Exceeded maximum storage size", "QuotaExceededError");
    own.written();
    own.items.set(name, text);
    own.bytes += more;
  }

  removeItem(key: string): void {
    const own = keptBy(this);
    const name = String(key);
    const old = own.items.get(name);
    if (old === undefined) return;
    own.items.delete(name);
    own.bytes -= Buffer.byteLength(name) + Buffer.byteLength(old);
  }

  clear(): void {
    const own = keptBy(this);
    own.items.clear();
    own.bytes = 0;
  }

  get [Symbol.toStringTag](): string {
    return "Storage";
  }
}

let local: Storage | undefined;
let session: Storage | undefined;

export function localStorage(): Storage {
  let said = false;
  return (local ??= make(() => {
    if (!said) logLine("localStorage is kept in memory: what is written to it is gone when this process ends");
    said = true;
  }));
}

export function sessionStorage(): Storage {
  return (session ??= make(() => {}));
}

function keptBy(storage: object): Kept {
  const own = kept.get(storage);
  if (own === undefined) throw new TypeError("Illegal invocation");
  return own;
}

/** Items are properties too. */
function make(written: () => void): Storage {
  makes = true;
  let target: Storage;
  try {
    target = new Storage();
  } finally {
    makes = false;
  }
  const own: Kept = { items: new Map(), bytes: 0, written };
  kept.set(target, own);
  const isItem = (key: string | symbol): key is string => typeof key === "string" && !(key in target);
  const storage = new Proxy(target, {
    get: (_, key) => (isItem(key) ? own.items.get(key) : Reflect.get(target, key)),
    has: (_, key) => (isItem(key) ? own.items.has(key) : Reflect.has(target, key)),
    set(_, key, value) {
      if (typeof key === "symbol") return Reflect.set(target, key, value);
      Storage.prototype.setItem.call(storage, key, value as string);
      return true;
    },
    defineProperty(_, key, descriptor) {
      if (typeof key === "symbol") return Reflect.defineProperty(target, key, descriptor);
      Storage.prototype.setItem.call(storage, key, descriptor.value as string);
      return true;
    },
    deleteProperty(_, key) {
      if (typeof key === "symbol") return Reflect.deleteProperty(target, key);
      Storage.prototype.removeItem.call(storage, key);
      return true;
    },
    ownKeys: () => [...new Set([...own.items.keys(), ...Reflect.ownKeys(target)])],
    getOwnPropertyDescriptor: (_, key) =>
      typeof key === "string" && own.items.has(key)
        ? { value: own.items.get(key), writable: true, enumerable: true, configurable: true }
        : Reflect.getOwnPropertyDescriptor(target, key),
  });
  kept.set(storage, own);
  return storage;
}

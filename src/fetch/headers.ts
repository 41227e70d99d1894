// biome-ignore-all lint/complexity/noArguments: Web IDL counts the arguments, whatever their values.
// biome-ignore-all lint/complexity/noThisInStatic: a subclass inherits hasInstance and must not mean this class.
/**
 * `Headers` of the Fetch standard (https://fetch.spec.whatwg.org/#headers-class), kept as one flat list: lower-case
 * name, value, name, value … in the order of insertion. A list of a few fields is searched faster than a Map, needs
 * no object per field, and is what the server sends.
 *
 * A request's headers are a view of its head instead, until someone iterates over them.
 */
import { isProxy } from "node:util/types";
import { HeadFields } from "./head.ts";
import { headerName, headerValue } from "./header-syntax.ts";
import { describe, INSPECT } from "./inspect.ts";
import { exposeInterface, required } from "./interface.ts";
import { isForeign } from "./native.ts";

/** Says that the constructor is called from here, to be filled by hand. */
const LENT = Symbol("lent") as unknown as HeadersInit;

/** Stands in until the list is there; nobody writes to it. */
const NONE: string[] = [];

let overList: (list: string[], immutable: boolean) => Headers;
let overHead: (head: HeadFields) => Headers;
let listIn: (headers: Headers) => string[];
let isHeaders: (x: object) => boolean;

export class Headers implements globalThis.Headers {
  #list: string[];
  /** Set while these are the untouched headers of a request from the network. */
  #head: HeadFields | null = null;
  #immutable = false;
  #sorted: [string, string][] | null = null;

  constructor(init: HeadersInit | undefined = undefined) {
    this.#list = init === undefined ? [] : init === LENT ? NONE : fieldsOf(init);
  }

  static {
    overList = (list, immutable) => {
      const headers = new Headers(LENT);
      headers.#list = list;
      headers.#immutable = immutable;
      return headers;
    };
    overHead = (head) => {
      const headers = new Headers(LENT);
      headers.#head = head;
      headers.#immutable = true;
      return headers;
    };
    listIn = (headers) => headers.#fields();
    isHeaders = (x) => #list in x;
  }

  /** Native instances are Headers too. */
  static [Symbol.hasInstance](x: unknown): boolean {
    if (typeof x !== "object" || x === null) return false;
    if (this !== Headers) return Function.prototype[Symbol.hasInstance].call(this, x);
    return #list in x || Object.prototype.isPrototypeOf.call(Headers.prototype, x) || isForeign(x, "Headers");
  }

  append(name: string, value: string): void {
    required(arguments.length, 2, "Headers.append");
    const lower = headerName(name);
    const normal = headerValue(value);
    this.#change().push(lower, normal);
  }

  delete(name: string): void {
    required(arguments.length, 1, "Headers.delete");
    const lower = headerName(name);
    const list = this.#change();
    let kept = 0;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === lower) continue;
      list[kept++] = list[i];
      list[kept++] = list[i + 1];
    }
    list.length = kept;
  }

  get(name: string): string | null {
    const head = this.#head;
    // A name that stands in a validated head is valid; only one that doesn't has to be looked at.
    if (head !== null && typeof name === "string") {
      const value = head.get(name);
      if (value !== null) return value;
    }
    required(arguments.length, 1, "Headers.get");
    const lower = headerName(name);
    if (head !== null) return head.get(lower);
    const list = this.#list;
    let found: string | null = null;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === lower) found = found === null ? list[i + 1] : `${found}, ${list[i + 1]}`;
    }
    return found;
  }

  has(name: string): boolean {
    required(arguments.length, 1, "Headers.has");
    const lower = headerName(name);
    if (this.#head !== null) return this.#head.get(lower) !== null;
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) if (list[i] === lower) return true;
    return false;
  }

  set(name: string, value: string): void {
    required(arguments.length, 2, "Headers.set");
    const lower = headerName(name);
    const normal = headerValue(value);
    const list = this.#change();
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] !== lower) continue;
      list[i + 1] = normal;
      for (let j = list.length - 2; j > i; j -= 2) if (list[j] === lower) list.splice(j, 2);
      return;
    }
    list.push(lower, normal);
  }

  getSetCookie(): string[] {
    if (this.#head !== null) return this.#head.getAll("set-cookie");
    const list = this.#list;
    const cookies: string[] = [];
    for (let i = 0; i < list.length; i += 2) if (list[i] === "set-cookie") cookies.push(list[i + 1]);
    return cookies;
  }

  keys(): HeadersIterator<string> {
    return iterator(this, () => this.#entries(), 0);
  }

  values(): HeadersIterator<string> {
    return iterator(this, () => this.#entries(), 1);
  }

  entries(): HeadersIterator<[string, string]> {
    return iterator(this, () => this.#entries(), 2);
  }

  declare [Symbol.iterator]: () => HeadersIterator<[string, string]>;

  forEach(
    callback: (value: string, key: string, parent: globalThis.Headers) => void,
    thisArg: unknown = undefined,
  ): void {
    this.#list;
    required(arguments.length, 1, "Headers.forEach");
    if (typeof callback !== "function") throw new TypeError("Headers.forEach: argument 1 is not a function.");
    // The list may change under the callback; each step looks anew, as the standard's iterators do.
    for (let i = 0; i < this.#entries().length; i++) {
      const [name, value] = this.#entries()[i];
      callback.call(thisArg, value, name, this);
    }
  }

  [INSPECT](depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    const shown: Record<string, string | string[]> = {};
    for (const [name] of this.#entries()) {
      shown[name] = name === "set-cookie" ? this.getSetCookie() : (this.get(name) ?? "");
    }
    return describe("Headers", shown, depth, options, inspect);
  }

  /** The list, made from the head the first time that someone needs all of it. */
  #fields(): string[] {
    if (this.#head !== null) {
      this.#list = this.#head.toList();
      this.#head = null;
    }
    return this.#list;
  }

  #change(): string[] {
    if (this.#immutable) throw new TypeError("These headers are immutable.");
    this.#sorted = null;
    return this.#fields();
  }

  /** Sorted by name, equal names combined, but each Set-Cookie by itself ("sort and combine"). */
  #entries(): [string, string][] {
    return (this.#sorted ??= sortAndCombine(this.#fields()));
  }
}

exposeInterface(Headers, "Headers");
Object.defineProperty(Headers.prototype, Symbol.iterator, {
  value: Headers.prototype.entries,
  writable: true,
  configurable: true,
});

/** Headers over a list that someone else (a Response) goes on using: never replaced, only changed in place. */
export function headersOver(list: string[], immutable: boolean): Headers {
  return overList(list, immutable);
}

/** The immutable headers of a request whose head is `head`. */
export function headersOfHead(head: string, fieldsStart: number): Headers {
  return overHead(new HeadFields(head, fieldsStart));
}

/** The flat list inside of our own Headers. No copy. */
export function fieldsIn(headers: Headers): string[] {
  return listIn(headers);
}

/** Fields of one connection (RFC 9110 section 7.6.1), and such that the host's fetch refuses to send. */
const HOP_BY_HOP = /^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|expect)$/;

/** The pairs to send on to another server: without the fields that belong to the connection they came over. */
export function forwardable(headers: Iterable<[string, string]>): [string, string][] {
  const pairs = [...headers];
  const named =
    pairs
      .find(([name]) => name === "connection")?.[1]
      .toLowerCase()
      .split(/[\s,]+/) ?? [];
  return pairs.filter(([name]) => !HOP_BY_HOP.test(name) && !named.includes(name));
}

const entriesOfHeaders = Headers.prototype.entries;
const valuesOfArray = Array.prototype[Symbol.iterator];

/** A new flat list from whatever the standard takes for headers: another Headers, pairs, or a record. */
export function fieldsOf(init: unknown): string[] {
  if ((typeof init !== "object" && typeof init !== "function") || init === null) {
    throw new TypeError("Headers: expected an object, an array of pairs or another Headers.");
  }
  const method: unknown = (init as Iterable<unknown>)[Symbol.iterator];
  if (method === undefined || method === null) return fieldsOfRecord(init as Record<string, unknown>);
  if (method === entriesOfHeaders && isHeaders(init)) return listIn(init as Headers).slice();
  if (typeof method !== "function") throw new TypeError("Headers: the argument is not iterable.");
  const list: string[] = [];
  for (const pair of init as Iterable<unknown>) {
    if (typeof pair !== "object" || pair === null)
      throw new TypeError("Headers: expected pairs of a name and a value.");
    const [name, value] = pairOf(pair);
    list.push(headerName(name), headerValue(value));
  }
  return list;
}

function pairOf(pair: object): readonly unknown[] {
  const items =
    Array.isArray(pair) && pair[Symbol.iterator] === valuesOfArray ? pair : Array.from(pair as Iterable<unknown>);
  if (items.length !== 2 || (pair as Iterable<unknown>)[Symbol.iterator] === undefined) {
    throw new TypeError(`Headers: expected a name and a value, found ${items.length} items.`);
  }
  return items;
}

function fieldsOfRecord(record: Record<string, unknown>): string[] {
  const list: string[] = [];
  if (isProxy(record)) {
    // A proxy sees which of its traps are called, and in what order: as Web IDL's record conversion calls them.
    for (const key of Reflect.ownKeys(record)) {
      if (!Reflect.getOwnPropertyDescriptor(record, key)?.enumerable) continue;
      const name = headerName(key);
      list.push(name, headerValue(record[key as string]));
    }
    return list;
  }
  for (const key in record) {
    if (Object.hasOwn(record, key)) list.push(headerName(key), headerValue(record[key]));
  }
  return list;
}

function sortAndCombine(list: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < list.length; i += 2) pairs.push([list[i], list[i + 1]]);
  pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  let kept = 0;
  for (const pair of pairs) {
    const before = kept > 0 ? pairs[kept - 1] : undefined;
    if (before !== undefined && before[0] === pair[0] && pair[0] !== "set-cookie") before[1] += `, ${pair[1]}`;
    else pairs[kept++] = pair;
  }
  pairs.length = kept;
  return pairs;
}

/** Web IDL's default iterator: each step looks at the sorted list as it is then. */
class Steps {
  #entries: () => [string, string][];
  #part: 0 | 1 | 2;
  #at = 0;

  constructor(entries: () => [string, string][], part: 0 | 1 | 2) {
    this.#entries = entries;
    this.#part = part;
  }

  next(): IteratorResult<unknown, undefined> {
    const entries = this.#entries();
    if (this.#at >= entries.length) return { value: undefined, done: true };
    const [name, value] = entries[this.#at++];
    return { value: this.#part === 0 ? name : this.#part === 1 ? value : [name, value], done: false };
  }
}

Reflect.deleteProperty(Steps.prototype, "constructor");
Object.setPrototypeOf(Steps.prototype, Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())));
Object.defineProperties(Steps.prototype, {
  next: { enumerable: true },
  [Symbol.toStringTag]: { value: "Headers Iterator", configurable: true },
});

function iterator<T>(headers: Headers, entries: () => [string, string][], part: 0 | 1 | 2): HeadersIterator<T> {
  if (!isHeaders(headers)) throw new TypeError("Illegal invocation");
  return new Steps(entries, part) as unknown as HeadersIterator<T>;
}

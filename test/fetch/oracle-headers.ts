/** Calls on Headers, for `oracle.test.ts`. */
import { type Call, label } from "./oracle.ts";

const PLAIN = { "X-One": "1", accept: "text/html", "Content-Type": "text/plain" };
const PAIRS = [
  ["b", "2"],
  ["Set-Cookie", "x=1"],
  ["a", "1"],
  ["B", "3"],
  ["set-cookie", "y=2; Path=/"],
] as [string, string][];

const NAMES: unknown[] = [
  "a",
  "Accept",
  "X-Custom_1.2~",
  "!#$%&'*+-.^_`|~",
  "",
  " a",
  "a ",
  "a b",
  "a:b",
  "a\n",
  "ü",
  "日本",
  "(x)",
  "a/b",
  7,
  null,
  undefined,
  Symbol.iterator,
];
const VALUES: unknown[] = [
  "",
  "v",
  " v ",
  "\tv\t",
  "\r\nv\r\n",
  "a b",
  "a\tb",
  "a\nb",
  "a\rb",
  "a\0b",
  "\x01",
  "\x7f",
  "é",
  "ÿ",
  "Ā",
  "日",
  "€",
  0,
  null,
  undefined,
  true,
  { toString: () => "o" },
  ["x", "y"],
  Symbol.iterator,
];

const INITS: [string, () => unknown][] = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["a number", () => 5],
  ["a string", () => "ab"],
  ["true", () => true],
  ["a symbol", () => Symbol.iterator],
  ["{}", () => ({})],
  ["a record", () => PLAIN],
  ["a record whose names differ by case", () => ({ a: "1", A: "2" })],
  ["a record with a bad name", () => ({ "a b": "1" })],
  ["a record with a bad value", () => ({ a: "1\n2" })],
  ["a record with a prototype", () => Object.create({ inherited: "1" }, { own: { value: "2", enumerable: true } })],
  ["a null-prototype record", () => Object.assign(Object.create(null), { a: "1" })],
  ["a record of numbers", () => ({ "1": 2, a: 3 })],
  ["pairs", () => PAIRS],
  ["no pairs", () => []],
  ["a pair too short", () => [["a"]]],
  ["a pair too long", () => [["a", "b", "c"]]],
  ["strings as pairs", () => ["ab"]],
  ["numbers as pairs", () => [1]],
  ["null as a pair", () => [null]],
  [
    "a Map",
    () =>
      new Map([
        ["k", "v"],
        ["j", "w"],
      ]),
  ],
  ["a Set of pairs", () => new Set([["k", "v"]])],
  [
    "a generator of pairs",
    () =>
      (function* () {
        yield ["g", "1"];
        yield ["f", "2"];
      })(),
  ],
  ["pairs that are Sets", () => [new Set(["n", "v"])]],
  ["URLSearchParams", () => new URLSearchParams("b=1&a=2")],
  ["an object whose iterator is no function", () => ({ [Symbol.iterator]: 5 })],
  ["a proxy", () => new Proxy({ a: "1", b: "2" }, {})],
];

export function headersCalls(): Call[] {
  const calls: Call[] = [];
  const add = (name: string, call: Call["call"], differs?: string): void => {
    calls.push({ name: `Headers: ${name}`, call, ...(differs === undefined ? {} : { differs }) });
  };

  for (const [name, init] of INITS) add(`new from ${name}`, ({ Headers }) => new Headers(init() as HeadersInit));
  add(
    "new from a function",
    ({ Headers }) => new Headers((() => 1) as never),
    "undici takes what is not enumerable: length, name",
  );
  add(
    "new from a record with a symbol",
    ({ Headers }) => new Headers({ [Symbol.iterator.description as string]: "1", [Symbol("s")]: "2" }),
    "looking for symbols would cost every Response with headers some 35 ns",
  );
  add("new from Headers", ({ Headers }) => new Headers(new Headers(PAIRS)));
  add("new without new", ({ Headers }) => (Headers as unknown as () => unknown)());

  for (const name of NAMES as string[]) {
    const label_ = label(name);
    add(`append(${label_}, "v")`, ({ Headers }) => {
      const h = new Headers(PAIRS);
      h.append(name, "v");
      return h;
    });
    add(`set(${label_}, "v")`, ({ Headers }) => {
      const h = new Headers(PAIRS);
      h.set(name, "v");
      return h;
    });
    add(`get(${label_})`, ({ Headers }) => new Headers(PAIRS).get(name));
    add(`has(${label_})`, ({ Headers }) => new Headers(PAIRS).has(name));
    add(`delete(${label_})`, ({ Headers }) => {
      const h = new Headers(PAIRS);
      return [h.delete(name), h];
    });
  }
  for (const value of VALUES as string[]) {
    add(`append("n", ${label(value)})`, ({ Headers }) => {
      const h = new Headers();
      h.append("n", value);
      return [h, h.get("n")];
    });
    add(`set("n", ${label(value)})`, ({ Headers }) => {
      const h = new Headers({ n: "old" });
      h.set("n", value);
      return h;
    });
    add(`new from { n: ${label(value)} }`, ({ Headers }) => new Headers({ n: value }));
    add(`new from [["n", ${label(value)}]]`, ({ Headers }) => new Headers([["n", value]]));
  }

  for (const method of ["append", "set", "get", "has", "delete", "forEach"] as const) {
    add(`${method}() without arguments`, ({ Headers }) =>
      (new Headers() as never as Record<string, () => unknown>)[method](),
    );
    add(`${method} on a plain object`, ({ Headers }) => Reflect.apply(Headers.prototype[method], {}, ["a", "b"]));
  }
  for (const method of ["append", "set"] as const) {
    add(`${method}("a") with one argument`, ({ Headers }) =>
      (new Headers() as never as Record<string, (n: string) => unknown>)[method]("a"),
    );
  }
  for (const method of ["keys", "values", "entries", "getSetCookie"] as const) {
    add(`${method} on a plain object`, ({ Headers }) => Reflect.apply(Headers.prototype[method], {}, []));
    add(`${method}()`, ({ Headers }) => [...new Headers(PAIRS)[method]()]);
    add(`${method}() of none`, ({ Headers }) => [...new Headers()[method]()]);
  }

  add("order of iteration", ({ Headers }) => [
    ...new Headers([
      ["z", "1"],
      ["b", "2"],
      ["A", "3"],
      ["a-b", "4"],
      ["a_b", "5"],
      ["10", "6"],
      ["z", "7"],
    ]),
  ]);
  add("values of one name combine", ({ Headers }) =>
    new Headers([
      ["a", "1"],
      ["A", "2"],
      ["a", ""],
    ]).get("a"),
  );
  add("set-cookie values combine in get", ({ Headers }) => new Headers(PAIRS).get("set-cookie"));
  add("set-cookie stays apart in iteration", ({ Headers }) => [...new Headers(PAIRS)]);
  add("set of set-cookie leaves one", ({ Headers }) => {
    const h = new Headers(PAIRS);
    h.set("set-cookie", "z=3");
    return [h, h.getSetCookie()];
  });
  add("delete of set-cookie", ({ Headers }) => {
    const h = new Headers(PAIRS);
    h.delete("Set-Cookie");
    return [h, h.getSetCookie(), h.has("set-cookie")];
  });
  add("getSetCookie() is a copy", ({ Headers }) => {
    const h = new Headers(PAIRS);
    h.getSetCookie().push("q");
    return h.getSetCookie();
  });
  add("set replaces all of a name", ({ Headers }) => {
    const h = new Headers([
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ]);
    h.set("A", "4");
    return h;
  });
  add(
    "cookie combines",
    ({ Headers }) =>
      new Headers([
        ["cookie", "a=1"],
        ["cookie", "b=2"],
      ]).get("cookie"),
    'the standard joins with ", ", undici with "; "',
  );
  add("forEach", ({ Headers }) => {
    const seen: unknown[] = [];
    new Headers(PAIRS).forEach((v, k, h) => {
      seen.push([v, k, h.has("a")]);
    });
    return seen;
  });
  add("forEach's this", ({ Headers }) => {
    const seen: unknown[] = [];
    new Headers({ a: "1" }).forEach(function (this: unknown) {
      seen.push(this);
    }, "me");
    return seen.map(String);
  });
  add("forEach of no function", ({ Headers }) => new Headers().forEach({} as never));
  add("forEach while it deletes", ({ Headers }) => {
    const seen: string[] = [];
    const h = new Headers({ a: "1", b: "2", c: "3" });
    h.forEach((_, k) => {
      seen.push(k);
      h.delete(k);
    });
    return [seen, h];
  });
  add("iteration while it appends", ({ Headers }) => {
    const seen: string[] = [];
    const h = new Headers({ b: "1", c: "2" });
    for (const [k] of h) {
      seen.push(k);
      if (k === "b") h.append("d", "x");
    }
    return seen;
  });
  add("iteration while it adds before", ({ Headers }) => {
    const seen: string[] = [];
    const h = new Headers({ b: "1", c: "2" });
    for (const [k] of h) {
      seen.push(k);
      if (k === "b") h.append("a", "x");
    }
    return seen;
  });
  add("iterator: after the end", ({ Headers }) => {
    const i = new Headers({ a: "1" }).keys();
    return [i.next(), i.next(), i.next()];
  });
  add("iterator: its own iterator", ({ Headers }) => {
    const i = new Headers({ a: "1" }).entries();
    return i[Symbol.iterator]() === i;
  });
  add("iterator: tag", ({ Headers }) => Object.prototype.toString.call(new Headers().entries()));
  add("iterator: next on something else", ({ Headers }) => new Headers().entries().next.call({} as never));
  add("iterator: prototype's keys", ({ Headers }) => Object.keys(Object.getPrototypeOf(new Headers().keys())));
  add("iterator: methods of Iterator", ({ Headers }) =>
    (new Headers(PAIRS).keys() as unknown as { map(f: (x: string) => string): Iterable<string> }).map((x) => x + x),
  );
  add("entries is Symbol.iterator", ({ Headers }) => Headers.prototype.entries === Headers.prototype[Symbol.iterator]);
  add("an entry is a new array", ({ Headers }) => {
    const h = new Headers({ a: "1" });
    const [[...first]] = [...h];
    ([...h][0] as string[])[1] = "changed";
    return [first, h.get("a")];
  });
  add("append answers undefined", ({ Headers }) => new Headers().append("a", "b"));
  add("toString", ({ Headers }) => String(new Headers()));
  add("JSON.stringify", ({ Headers }) => JSON.stringify(new Headers({ a: "1" })));
  add("Object.keys", ({ Headers }) => Object.keys(new Headers({ a: "1" })));
  add("tag can't be written", ({ Headers }) => Object.getOwnPropertyDescriptor(Headers.prototype, Symbol.toStringTag));
  add("members", ({ Headers }) => members(Headers));
  add("Object.fromEntries", ({ Headers }) => Object.fromEntries(new Headers(PAIRS)));
  add("spread of many", ({ Headers }) => [
    ...new Headers(Array.from({ length: 60 }, (_, i) => [`h${(i * 7) % 60}`, String(i)] as [string, string])),
  ]);
  return calls;
}

/** The shape of a class: its members with what they are, its name and length. */
export function members(subject: { prototype: object; name: string; length: number }): unknown {
  const shape = (target: object) =>
    Object.entries(Object.getOwnPropertyDescriptors(target))
      // `attribute` is a slip of undici's, and `prototype` is not enumerable in either.
      .filter(([key]) => key !== "attribute" && key !== "prototype")
      .map(
        ([key, d]) =>
          `${key} ${typeof d.value} ${d.value?.length ?? ""} ${typeof d.get} ${typeof d.set} ${d.enumerable} ${d.configurable}`,
      )
      .sort();
  return { name: subject.name, length: subject.length, statics: shape(subject), prototype: shape(subject.prototype) };
}

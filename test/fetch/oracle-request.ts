/** Calls on Request, for `oracle.test.ts`. */
import { type Call, label } from "./oracle.ts";
import { members } from "./oracle-headers.ts";
import { BODIES } from "./oracle-response.ts";

const URL_ = "http://a.example/path?q=1#frag";
const METHODS = [
  "GET",
  "get",
  "POST",
  "post",
  "put",
  "delete",
  "head",
  "options",
  "PATCH",
  "Foo",
  "CONNECT",
  "connect",
  "TRACE",
  "track",
  "",
  "a b",
  "ü",
  null,
  5,
  undefined,
];
const URLS: unknown[] = [
  URL_,
  "HTTP://A.example:80/../x y",
  "http://user@a.example/",
  "http://u:p@a.example/",
  "/relative",
  "",
  "http://",
  "mailto:x@y",
  "data:,x",
  "http://é.example/é",
  new URL(URL_),
  5,
  null,
  undefined,
  {},
  Symbol.iterator,
];

/** Every member of the init with values good and bad. */
const OPTIONS: Record<string, readonly unknown[]> = {
  cache: ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached", "bad", null, 5],
  credentials: ["omit", "same-origin", "include", "bad", ""],
  mode: ["cors", "same-origin", "no-cors", "navigate", "websocket", "bad"],
  redirect: ["follow", "error", "manual", "bad"],
  referrer: ["", "about:client", "http://r.example/x", "relative", "http://"],
  referrerPolicy: ["", "no-referrer", "origin", "unsafe-url", "bad"],
  integrity: ["", "sha256-abc", 5, null],
  keepalive: [true, false, 0, "x", null],
  duplex: ["half", "full", null],
  priority: ["high", "low", "auto", "bad"],
  window: [null, undefined, "client", 5],
  signal: [null, undefined, 5, {}, "x"],
  headers: [null, {}, { a: "1" }, [["b", "2"]], { "bad name": "x" }, 5, "x"],
};

export function requestCalls(): Call[] {
  const calls: Call[] = [];
  const add = (name: string, call: Call["call"], differs?: string): void => {
    calls.push({ name: `Request: ${name}`, call, ...(differs === undefined ? {} : { differs }) });
  };
  const post = (body: unknown, more: object = {}): RequestInit =>
    ({ method: "POST", body, duplex: "half", ...more }) as RequestInit;

  for (const url of URLS) add(`new ${label(url)}`, ({ Request }) => new Request(url as string));
  add("new without arguments", ({ Request }) => new (Request as unknown as new () => unknown)());
  add("new without new", ({ Request }) => (Request as unknown as (url: string) => unknown)(URL_));
  for (const method of METHODS) {
    add(`method ${label(method)}`, ({ Request }) => new Request(URL_, { method: method as string }));
    add(
      `method ${label(method)} with a body`,
      ({ Request }) => new Request(URL_, { method: method as string, body: "b" }),
    );
  }
  for (const [member, values] of Object.entries(OPTIONS)) {
    for (const value of values) {
      add(`${member} ${label(value)}`, ({ Request }) => new Request(URL_, { [member]: value }));
      if (member === "signal" || member === "window") continue;
      add(`${member} ${label(value)} over a request`, ({ Request }) => {
        const base = new Request(URL_, {
          mode: "same-origin",
          referrer: "http://r.example/",
          cache: "reload",
          headers: { k: "v" },
        });
        return new Request(base, { [member]: value });
      });
    }
  }
  for (const init of [null, undefined, {}, 5, "x", true, [], () => 1])
    add(`init ${label(init)}`, ({ Request }) => new Request(URL_, init as never));

  for (const [name, body] of BODIES) {
    add(`new with ${name}`, ({ Request }) => new Request(URL_, post(body())));
    for (const reader of ["text", "arrayBuffer", "blob", "json"] as const)
      add(`${reader}() of ${name}`, ({ Request }) => new Request(URL_, post(body()))[reader]());
    const stream = Symbol.asyncIterator in Object(body()) ? 'as in Deno, duplex: "half" need not be said' : undefined;
    const alone = ({ Request }: { Request: new (url: string, init: RequestInit) => unknown }) =>
      new Request(URL_, { method: "POST", body: body() as BodyInit });
    add(`without duplex, ${name}`, alone, stream);
    add(`keepalive with ${name}`, ({ Request }) => new Request(URL_, post(body(), { keepalive: true })));
    add(`no-cors with ${name}`, ({ Request }) => new Request(URL_, post(body(), { mode: "no-cors" })));
    add(`GET with ${name}`, ({ Request }) => new Request(URL_, post(body(), { method: "GET" })));
    add(`moved to another request, ${name}`, async ({ Request }) => {
      const first = new Request(URL_, post(body()));
      const second = new Request(first);
      return [first.bodyUsed, first.body?.locked, second, await second.text(), first.bodyUsed];
    });
    add(`clone() of ${name}`, async ({ Request }) => {
      const first = new Request(URL_, post(body()));
      const second = first.clone();
      return [second, await second.text(), await first.text()];
    });
  }

  add(
    "new of a request",
    ({ Request }) =>
      new Request(new Request(URL_, { method: "PUT", headers: { a: "1" }, cache: "reload", credentials: "omit" })),
  );
  add(
    "new of a request with {}",
    ({ Request }) => new Request(new Request(URL_, { referrer: "http://r.example/", mode: "no-cors" }), {}),
  );
  add(
    "new of a request with other headers",
    ({ Request }) => new Request(new Request(URL_, { headers: { a: "1" } }), { headers: { b: "2" } }),
  );
  add("new of a request with another body", async ({ Request }) => {
    const a = new Request(URL_, post("1"));
    const b = new Request(a, { body: "2" });
    return [await a.text(), await b.text(), a.bodyUsed];
  });
  add("new of a request that was read", async ({ Request }) => {
    const a = new Request(URL_, post("1"));
    await a.text();
    return new Request(a);
  });
  add("new of a read request with another body", async ({ Request }) => {
    const a = new Request(URL_, post("1"));
    await a.text();
    return new Request(a, { body: "2" }).text();
  });
  add("new of a request, then GET", ({ Request }) => new Request(new Request(URL_, post("1")), { method: "GET" }));
  add("new of a locked request", ({ Request }) => {
    const a = new Request(URL_, post("1"));
    a.body?.getReader();
    return new Request(a);
  });
  add("a request's headers are copied", ({ Request }) => {
    const a = new Request(URL_, { headers: { a: "1" } });
    const b = new Request(a);
    b.headers.set("a", "2");
    return [a, b];
  });
  add("init is a request", async ({ Request }) => {
    const a = new Request(URL_, post("1", { headers: { a: "1" } }));
    return new Request("http://b.example/", a as RequestInit).text();
  });
  add(
    "content type in the headers stays",
    ({ Request }) => new Request(URL_, post("x", { headers: { "Content-Type": "a/b" } })),
  );
  add("content type of a moved body", ({ Request }) => new Request(new Request(URL_, post("x")), { headers: {} }));

  add("signal of its own", ({ Request }) => {
    const r = new Request(URL_);
    const first = r.signal;
    return [first, r.signal === first];
  });
  add("signal follows", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(URL_, { signal: c.signal });
    c.abort("why");
    return [r.signal, r.signal === c.signal];
  });
  add("signal follows once touched", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(URL_, { signal: c.signal });
    const s = r.signal;
    const before = s.aborted;
    c.abort("why");
    return [before, s];
  });
  add("signal was aborted", ({ Request }) => new Request(URL_, { signal: AbortSignal.abort("early") }).signal);
  add("signal's event", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(URL_, { signal: c.signal });
    let seen = 0;
    r.signal.addEventListener("abort", () => seen++);
    c.abort();
    return seen;
  });
  add("signal of a request of a request", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(new Request(URL_, { signal: c.signal }));
    c.abort("x");
    return r.signal;
  });
  add("signal null cuts it off", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(new Request(URL_, { signal: c.signal }), { signal: null });
    c.abort();
    return r.signal;
  });
  add("clone's signal follows", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(URL_, { signal: c.signal }).clone();
    c.abort("x");
    return [r.signal.aborted];
  });
  add("abort reason by default", ({ Request }) => {
    const c = new AbortController();
    const r = new Request(URL_, { signal: c.signal });
    c.abort();
    return r.signal.reason;
  });

  add("clone() after use", async ({ Request }) => {
    const r = new Request(URL_, post("a"));
    await r.text();
    return r.clone();
  });
  add("clone() of a locked one", ({ Request }) => {
    const r = new Request(URL_, post("a"));
    r.body?.getReader();
    return r.clone();
  });
  add("clone()'s headers are its own", ({ Request }) => {
    const r = new Request(URL_, { headers: { a: "1" } });
    const c = r.clone();
    c.headers.set("a", "2");
    return [r, c];
  });
  add("text() twice", async ({ Request }) => {
    const r = new Request(URL_, post("a"));
    await r.text();
    return r.text();
  });
  add("text() of nothing twice", async ({ Request }) => {
    const r = new Request(URL_);
    return [await r.text(), await r.text(), r.bodyUsed, r.body];
  });
  add("formData()", ({ Request }) => {
    const f = new FormData();
    f.set("k", "v");
    f.set("f", new File(["x"], "ü.bin"));
    return new Request(URL_, post(f)).formData();
  });
  add("bytes()", ({ Request }) =>
    (new Request(URL_, post("é")) as unknown as { bytes(): Promise<Uint8Array> }).bytes(),
  );
  for (const getter of [
    "method",
    "url",
    "headers",
    "destination",
    "referrer",
    "referrerPolicy",
    "mode",
    "credentials",
    "cache",
    "redirect",
    "integrity",
    "keepalive",
    "isReloadNavigation",
    "isHistoryNavigation",
    "signal",
    "body",
    "bodyUsed",
    "duplex",
  ]) {
    add(`${getter} by default`, ({ Request }) => (new Request(URL_) as unknown as Record<string, unknown>)[getter]);
    add(`${getter} of a plain object`, ({ Request }) =>
      Object.getOwnPropertyDescriptor(Request.prototype, getter)?.get?.call({}),
    );
  }
  for (const method of ["clone", "text", "json", "blob", "arrayBuffer", "formData"] as const) {
    add(`${method} on a plain object`, ({ Request }) => Reflect.apply(Request.prototype[method], {}, []));
  }
  add("toString", ({ Request }) => String(new Request(URL_)));
  add("Object.keys", ({ Request }) => Object.keys(new Request(URL_)));
  add("members", ({ Request }) => members(Request));
  return calls;
}

/** Calls on Response, for `oracle.test.ts`. */
import { type Call, label } from "./oracle.ts";
import { members } from "./oracle-headers.ts";

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

/** A stream of these chunks, whatever they are. */
function stream(...chunks: unknown[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<never>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk as never);
      controller.close();
    },
  }) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

function form(): FormData {
  const data = new FormData();
  data.append('na"me', "line\nbreak");
  data.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  return data;
}

function detached(): Uint8Array {
  const view = bytes(1, 2, 3);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Every kind of body; made anew for each call, since most can be read once. */
export const BODIES: [string, () => unknown][] = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["an empty string", () => ""],
  ["a string", () => "héllo €"],
  ["JSON", () => '{"a":[1,2]}'],
  ["a string with a byte order mark", () => "\ufeff[1]"],
  ["a lone surrogate", () => "a\ud800b"],
  ["a number", () => 42],
  ["false", () => false],
  ["an object", () => ({})],
  ["an array", () => ["a", "b"]],
  ["a symbol", () => Symbol.iterator],
  ["bytes", () => bytes(1, 2, 255)],
  ["bytes of a byte order mark", () => bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d)],
  ["a Buffer", () => Buffer.from("buffer")],
  ["a part of a buffer", () => bytes(1, 2, 3, 4).subarray(1, 3)],
  ["an ArrayBuffer", () => bytes(65, 66).buffer],
  ["a DataView", () => new DataView(bytes(65, 66, 67).buffer, 1)],
  ["a SharedArrayBuffer", () => new SharedArrayBuffer(2)],
  ["a view of a SharedArrayBuffer", () => new Uint8Array(new SharedArrayBuffer(2))],
  ["a resizable ArrayBuffer", () => new ArrayBuffer(2, { maxByteLength: 8 })],
  ["a detached ArrayBuffer", () => detached().buffer],
  ["a view of a detached ArrayBuffer", () => detached()],
  ["a File", () => new File(["f"], "f.txt", { type: "text/plain" })],
  ["a String object", () => new String("boxed")],
  ["an iterable", () => new Set(["a"])],
  ["a Float32Array", () => new Float32Array([1.5])],
  ["a Blob", () => new Blob(["blob"])],
  ["a Blob with a type", () => new Blob(['{"b":1}'], { type: "Application/JSON" })],
  ["URLSearchParams", () => new URLSearchParams({ a: "1 2", b: "é" })],
  ["a stream", () => stream(utf8("str"), utf8("eam"))],
  ["an empty stream", () => stream()],
  ["a stream of strings", () => stream("not bytes")],
  ["a stream that fails", () => new ReadableStream({ pull: (c) => c.error(new RangeError("no")) })],
  [
    "an async iterable",
    () => ({
      async *[Symbol.asyncIterator]() {
        yield utf8("it");
        yield utf8("er");
      },
    }),
  ],
];

const READERS = ["text", "json", "arrayBuffer", "bytes", "blob", "formData"] as const;

export function responseCalls(): Call[] {
  const calls: Call[] = [];
  const add = (name: string, call: Call["call"], differs?: string): void => {
    calls.push({ name: `Response: ${name}`, call, ...(differs === undefined ? {} : { differs }) });
  };

  for (const [name, body] of BODIES) {
    const make = ({ Response }: { Response: typeof globalThis.Response }) => new Response(body() as BodyInit);
    add(`new of ${name}`, make);
    for (const reader of READERS) add(`${reader}() of ${name}`, (c) => make(c)[reader]());
    add(`bodyUsed after text() of ${name}`, async (c) => {
      const response = make(c);
      await response.text().catch(() => {});
      return [response.bodyUsed, response.body?.locked];
    });
    add(`text() twice of ${name}`, async (c) => {
      const response = make(c);
      await response.text().catch(() => {});
      return response.text();
    });
    add(`clone() of ${name}`, async (c) => {
      const response = make(c);
      const copy = response.clone();
      return [copy, await copy.text(), await response.text()];
    });
    add(`body, then bytes() of ${name}`, async (c) => {
      const response = make(c);
      const first = response.body;
      return [first, response.body === first, response.bodyUsed, await response.bytes()];
    });
  }

  for (const status of [
    0,
    100,
    199,
    200,
    201,
    204,
    205,
    304,
    404,
    599,
    600,
    65736,
    200.9,
    "404",
    null,
    undefined,
    Number.NaN,
    {},
    -1,
  ]) {
    add(`status ${label(status)}`, ({ Response }) => new Response(null, { status: status as number }));
    add(`status ${label(status)} with a body`, ({ Response }) => new Response("x", { status: status as number }));
  }
  for (const text of [
    "",
    "OK",
    "Not Found",
    "tab\tbed",
    "é",
    "Ā",
    "a\nb",
    "a\rb",
    "\x7f",
    "\x00",
    null,
    undefined,
    5,
  ]) {
    add(`statusText ${label(text)}`, ({ Response }) => new Response(null, { statusText: text as string }));
  }
  for (const init of [null, undefined, {}, 5, "init", true, [], () => 1, Symbol.iterator]) {
    add(`init ${label(init)}`, ({ Response }) => new Response("x", init as never));
  }
  for (const headers of [
    null,
    undefined,
    {},
    { a: "1", b: "2" },
    [["c", "3"]],
    5,
    "x",
    { "bad name": "1" },
    { "content-type": "text/css" },
    { "Content-Type": "" },
  ]) {
    add(`headers ${label(headers)}`, ({ Response }) => new Response("x", { headers: headers as HeadersInit }));
  }
  for (const [name, value] of [
    ["a number", 1],
    ["null", null],
    ["a string", "s"],
    ["an object", { a: [1, { b: 2 }] }],
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol.iterator],
    ["NaN", Number.NaN],
    ["a bigint", 1n],
    ["toJSON", { toJSON: () => "j" }],
  ] as const) {
    add(`json(${name})`, async ({ Response }) => {
      const r = Response.json(value);
      return [r, await r.text()];
    });
  }
  add("json() without arguments", ({ Response }) => (Response.json as () => unknown)());
  add("json with a status", ({ Response }) => Response.json({}, { status: 201, statusText: "Made" }));
  add("json with status 204", ({ Response }) => Response.json({}, { status: 204 }));
  add("json with a content type", ({ Response }) => Response.json({}, { headers: { "content-type": "a/b", x: "y" } }));
  add("json with headers", ({ Response, Headers }) => Response.json({}, { headers: new Headers({ x: "y" }) }));
  add("json of something circular", ({ Response }) => {
    const a: Record<string, unknown> = {};
    a["a"] = a;
    return Response.json(a);
  });
  for (const status of [undefined, 301, 302, 303, 307, 308, 200, 304, 0, "303", null]) {
    add(`redirect with ${label(status)}`, ({ Response }) =>
      Response.redirect("http://a.example/é?b#c", status as number),
    );
  }
  for (const url of ["/relative", "", "http://", "http://u:p@a.example/", new URL("http://b.example/x")]) {
    add(`redirect to ${label(url)}`, ({ Response }) => Response.redirect(url));
  }
  add("redirect() without arguments", ({ Response }) => (Response.redirect as () => unknown)());
  add("redirect's headers are immutable", ({ Response }) =>
    Response.redirect("http://a.example/").headers.set("a", "b"),
  );
  add("error()", ({ Response }) => Response.error());
  add("error()'s headers are immutable", ({ Response }) => Response.error().headers.append("a", "b"));
  add("a clone's headers are immutable too", ({ Response }) => Response.error().clone().headers.append("a", "b"));
  add(
    "new from a Response as init",
    ({ Response }) => new Response("b", new Response(null, { status: 201, statusText: "S", headers: { h: "1" } })),
  );
  add("new from a Response's body", ({ Response }) => {
    const r = new Response("b", { headers: { h: "1" } });
    return new Response(r.body, r).text();
  });
  add("new from a body that was used", async ({ Response }) => {
    const r = new Response("b");
    await r.text();
    return new Response(r.body);
  });
  add("new from a locked stream", ({ Response }) => {
    const s = stream(utf8("a"));
    s.getReader();
    return new Response(s);
  });
  add("new from a stream that was read", async ({ Response }) => {
    const s = stream(utf8("a"), utf8("b"));
    const r = s.getReader();
    await r.read();
    r.releaseLock();
    return new Response(s);
  });
  add("bytes are copied", async ({ Response }) => {
    const b = bytes(1, 2);
    const r = new Response(b);
    b[0] = 9;
    return r.bytes();
  });
  add("bytes() is a plain Uint8Array", async ({ Response }) => {
    const b = await new Response(Buffer.from("abc")).bytes();
    return [b.byteOffset, b.buffer.byteLength];
  });
  add("clone() after use", async ({ Response }) => {
    const r = new Response("a");
    await r.text();
    return r.clone();
  });
  add("clone() of a locked one", ({ Response }) => {
    const r = new Response("a");
    r.body?.getReader();
    return r.clone();
  });
  add("clone()'s headers are its own", ({ Response }) => {
    const r = new Response("a", { headers: { a: "1" } });
    const c = r.clone();
    c.headers.set("a", "2");
    return [r, c];
  });
  add("clone() after body was shown", async ({ Response }) => {
    const r = new Response("abc");
    const s = r.body;
    const c = r.clone();
    return [r.body === s, s?.locked, await c.text(), await r.text()];
  });
  add("text() of a locked body", ({ Response }) => {
    const r = new Response("a");
    r.body?.getReader();
    return r.text();
  });
  add("bodyUsed after a cancel", async ({ Response }) => {
    const r = new Response("a");
    await r.body?.cancel();
    return r.bodyUsed;
  });
  add("text() twice at once", ({ Response }) => {
    const r = new Response("a");
    return Promise.allSettled([r.text(), r.text()]).then((all) => all.map((x) => x.status));
  });
  add("text() of null twice", async ({ Response }) => {
    const r = new Response();
    return [await r.text(), await r.text(), r.bodyUsed];
  });
  add("reading body by hand", async ({ Response }) => {
    const r = new Response("abc");
    const got: number[] = [];
    for await (const c of r.body as unknown as AsyncIterable<Uint8Array>) got.push(...c);
    return [got, r.bodyUsed];
  });
  add("reading body with BYOB", async ({ Response }) => {
    const reader = new Response("abc").body?.getReader({ mode: "byob" });
    return reader?.read(new Uint8Array(2));
  });
  add("textStream()", async ({ Response }) => {
    const s = (new Response("añb") as unknown as { textStream(): AsyncIterable<string> }).textStream();
    let all = "";
    for await (const part of s) all += part;
    return all;
  });
  add("textStream() of null", async ({ Response }) => {
    const s = (new Response() as unknown as { textStream(): AsyncIterable<string> }).textStream();
    let n = 0;
    for await (const _ of s) n++;
    return n;
  });
  add("headers is one object", ({ Response }) => {
    const r = new Response();
    const first = r.headers;
    return r.headers === first;
  });
  add("headers can be changed", ({ Response }) => {
    const r = new Response("x");
    r.headers.delete("content-type");
    r.headers.append("A", "1");
    r.headers.append("a", "2");
    return r;
  });
  add("status can't be written", ({ Response }) => {
    (new Response() as { status: number }).status = 3;
  });
  add(
    "blob()'s type",
    async ({ Response }) =>
      (await new Response("x", { headers: { "content-type": "Text/HTML; charset=utf-8;a=b" } }).blob()).type,
  );
  add(
    "blob()'s type of nonsense",
    async ({ Response }) => (await new Response("x", { headers: { "content-type": "nonsense" } }).blob()).type,
  );
  add("formData() of a form", async ({ Response }) => new Response(form()).formData());
  add("formData() of URL-encoded", async ({ Response }) =>
    new Response("a=1&b=%20", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData(),
  );
  add("formData() of a broken form", async ({ Response }) =>
    new Response("--x\r\n", { headers: { "content-type": "multipart/form-data; boundary=x" } }).formData(),
  );
  add("a form's content type", ({ Response }) =>
    /^multipart\/form-data; boundary=\S+$/.test(new Response(form()).headers.get("content-type") ?? ""),
  );
  add("a form without files", async ({ Response }) => {
    const f = new FormData();
    f.append("a", "1\r2");
    return new Response(f).formData();
  });
  for (const method of [...READERS, "clone"] as const) {
    add(`${method} on a plain object`, ({ Response }) => Reflect.apply(Response.prototype[method], {}, []));
  }
  for (const getter of [
    "type",
    "url",
    "redirected",
    "status",
    "ok",
    "statusText",
    "headers",
    "body",
    "bodyUsed",
  ] as const) {
    add(`${getter} of a plain object`, ({ Response }) =>
      Object.getOwnPropertyDescriptor(Response.prototype, getter)?.get?.call({}),
    );
  }
  add("new without new", ({ Response }) => (Response as unknown as () => unknown)());
  add("toString", ({ Response }) => String(new Response()));
  add("Object.keys", ({ Response }) => Object.keys(new Response("x")));
  add("for in", ({ Response }) => {
    const keys: string[] = [];
    for (const key in new Response()) keys.push(key);
    return keys.sort();
  });
  add("members", ({ Response }) => members(Response));
  return calls;
}

// @ts-nocheck: written for Deno, whose types are not installed here.
// Storages, caches and event streams, line by line: the same under Deno, under `slipway run` and compiled.
const failure = async (call) => {
  try {
    return await call();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

for (const storage of [localStorage, sessionStorage]) {
  storage.clear();
  storage.setItem("a", 1);
  storage.b = "two";
  storage["c d"] = { toString: () => "three" };
  console.log(storage.length, storage.getItem("a"), storage.a, storage["b"], storage.getItem("c d"), storage.none);
  console.log(Object.keys(storage).sort().join(), "a" in storage, "x" in storage, storage.getItem("x"), storage.key(9));
  delete storage.a;
  storage.removeItem("b");
  storage.removeItem("b");
  console.log(JSON.stringify(storage), storage.length, storage instanceof Storage);
  storage.clear();
}
console.log((await failure(() => sessionStorage.setItem("k", "v".repeat(11 << 20)))).replace(/^.*: /, ""));

const url = "https://example.com/a";
await caches.delete("one");
const cache = await caches.open("one");
console.log(await caches.has("one"), await caches.has("none"), cache instanceof Cache, caches instanceof CacheStorage);
await cache.put(`${url}#fragment`, new Response("body", { status: 201, statusText: "Made", headers: { "x-a": "1" } }));
const found = await cache.match(new Request(url));
console.log(
  found.status,
  found.statusText,
  found.headers.get("x-a"),
  await found.text(),
  await cache.match(`${url}?q`),
);
console.log(await failure(() => cache.put(new Request(url, { method: "POST" }), new Response())));
console.log(await failure(() => cache.put(url, new Response("", { status: 206 }))));
console.log(await failure(() => cache.put(url, new Response("", { headers: { vary: "accept, *" } }))));
console.log(await failure(() => cache.put("file:///x", new Response(""))));
console.log(await failure(() => new Cache()));
const asked = (language) => new Request("https://example.com/v", { headers: { "accept-language": language } });
await cache.put(asked("de"), new Response("Hallo", { headers: { vary: "Accept-Language" } }));
console.log(await (await cache.match(asked("de"))).text(), await cache.match(asked("fr")));
console.log((await cache.keys()).map((one) => one.url).join(" "), (await cache.keys(url)).length);
console.log(
  await (await caches.match(url, { cacheName: "one" })).text(),
  await caches.match(url, { cacheName: "two" }),
);
console.log(await cache.delete(url), await cache.delete(url), await cache.match(url));
console.log(await caches.delete("one"), await caches.has("one"));

let connections = 0;
const seen = [];
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ headers }) => {
  seen.push(headers.get("accept"), headers.get("last-event-id"), headers.get("x-own"));
  if (++connections > 2) return new Response("no stream", { status: 404 });
  const pieces = [
    "\uFEFFretry: 1\nid: 7\nda",
    "ta: first\ndata:second\n\n",
    ": comment\n\nevent: own\r\ndata: x\r",
    "\n\r\n",
    "data: cut",
  ];
  const body = new ReadableStream({
    async start(controller) {
      for (const piece of pieces) {
        controller.enqueue(new TextEncoder().encode(piece));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
});
const source = new EventSource(`http://127.0.0.1:${server.addr.port}/`, { headers: { "x-own": "yes" } });
const told = [source.readyState, source.withCredentials, EventSource.OPEN];
await new Promise((resolve) => {
  source.onopen = () => told.push(`open ${source.readyState}`);
  source.onmessage = ({ data, lastEventId }) => told.push(data, lastEventId);
  source.addEventListener("own", ({ data, type }) => told.push(`${type} ${data}`));
  source.onerror = () => {
    told.push(`error ${source.readyState}`);
    if (source.readyState === EventSource.CLOSED) resolve();
  };
});
console.log(JSON.stringify(told));
console.log(JSON.stringify(seen));
await server.shutdown();

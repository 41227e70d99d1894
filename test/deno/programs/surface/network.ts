// @ts-nocheck: written for Deno, whose types are not installed here.
/** Deno.serve, listeners, connections, names. */
import { bytes, check, classOnly, folder, text } from "./check.ts";

const local = { hostname: "127.0.0.1", port: 0 };
const quiet = { ...local, onListen() {} };
const ask = async (server, path = "/", init = {}) => {
  const response = await fetch(`http://127.0.0.1:${server.addr.port}${path}`, init);
  return [response.status, await response.text()];
};

for (const port of [-1, 65_536, 1.5, "x", true, Number.NaN]) {
  classOnly(`serve on port ${port}`, () => Deno.serve({ ...quiet, port }, () => new Response()));
  classOnly(`listen on port ${port}`, () => Deno.listen({ port }));
}
check("serve's members", async () => {
  await using server = Deno.serve(quiet, () => new Response());
  const has = ["finished", "addr", "ref", "unref", "shutdown", Symbol.asyncDispose].map((name) => typeof server[name]);
  return [has, server.finished instanceof Promise, Object.keys(server.addr).sort(), server.then];
});
check("serve, three ways", async () => {
  const handler = () => new Response("yes");
  const said = [];
  for (const args of [[quiet, handler], [{ ...quiet, handler }], [handler, quiet]]) {
    try {
      await using server = Deno.serve(...args);
      said.push((await ask(server))[1]);
    } catch (error) {
      said.push(error.name);
    }
  }
  return said.slice(0, 2);
});
check("serve, port as text", async () => {
  await using server = Deno.serve({ ...quiet, port: "0" }, () => new Response("ok"));
  return await ask(server);
});
check("serve, onListen", async () => {
  const heard = Promise.withResolvers();
  await using server = Deno.serve({ ...local, onListen: heard.resolve }, () => new Response());
  const addr = await heard.promise;
  return [Object.keys(addr).sort(), addr.transport, addr.hostname, addr.port === server.addr.port];
});
check("serve, info", async () => {
  await using server = Deno.serve(quiet, (_request, { remoteAddr, completed }) =>
    Response.json([remoteAddr.transport, remoteAddr.hostname, typeof remoteAddr.port, completed instanceof Promise]),
  );
  return await ask(server);
});
check("serve, signal", async () => {
  const controller = new AbortController();
  const server = Deno.serve({ ...quiet, signal: controller.signal }, () => new Response());
  await ask(server);
  controller.abort();
  await server.finished;
  using again = Deno.listen({ ...local, port: server.addr.port });
  return again.addr.port === server.addr.port;
});
check("serve, shutdown waits", async () => {
  const begun = Promise.withResolvers();
  const go = Promise.withResolvers();
  const server = Deno.serve(quiet, async () => {
    begun.resolve();
    await go.promise;
    return new Response("late");
  });
  const answer = ask(server);
  await begun.promise;
  const down = server.shutdown();
  go.resolve();
  return [await answer, await down, await server.finished];
});
check("serve, onError", async () => {
  const onError = (error) => new Response(error.message, { status: 418 });
  await using server = Deno.serve({ ...quiet, onError }, (request) => {
    if (request.url.endsWith("async")) return Promise.reject(new Error("later"));
    throw new Error("now");
  });
  return [await ask(server), await ask(server, "/async")];
});
check("serve, onError that waits", async () => {
  const onError = async (error) => new Response(error.message, { status: 500 });
  await using server = Deno.serve({ ...quiet, onError }, () => Promise.reject(new Error("x")));
  return await ask(server);
});
for (const [name, value] of Object.entries({ nothing: undefined, text: "text", null: null, object: {} })) {
  check(`serve, a handler that gives ${name}`, async () => {
    await using server = Deno.serve(quiet, () => value);
    return await ask(server);
  });
}
check("serve, automaticCompression", async () => {
  const body = JSON.stringify({ text: "a word ".repeat(1000) });
  const handler = () => new Response(body, { headers: { "content-type": "application/json" } });
  const said = [];
  for (const automaticCompression of [true, false, undefined]) {
    await using server = Deno.serve({ ...quiet, automaticCompression }, handler);
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { headers: { "accept-encoding": "gzip" } });
    said.push(
      response.headers.get("content-encoding"),
      (await response.text()).length,
      response.headers.get("vary")?.toLowerCase(),
    );
  }
  return said;
});
check("serve, automaticCompression: from which size on, and in what", async () => {
  const said = [];
  for (const size of [63, 64, 1000]) {
    const handler = () => new Response("a".repeat(size), { headers: { "content-type": "text/plain" } });
    await using server = Deno.serve({ ...quiet, automaticCompression: true }, handler);
    for (const accepted of ["gzip, deflate, br, zstd", "gzip", "zstd", "gzip;q=1, br;q=0.5"]) {
      const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, {
        headers: { "accept-encoding": accepted },
      });
      said.push(size, accepted, response.headers.get("content-encoding"), (await response.text()).length);
    }
  }
  return said;
});
check("serve, DENO_SERVE_AUTOMATIC_COMPRESSION", async () => {
  const handler = () => new Response("a".repeat(100), { headers: { "content-type": "text/plain" } });
  const said = [];
  for (const value of ["1", "true", "0", "False", ""]) {
    Deno.env.set("DENO_SERVE_AUTOMATIC_COMPRESSION", value);
    for (const automaticCompression of [undefined, true, false]) {
      await using server = Deno.serve({ ...quiet, automaticCompression }, handler);
      const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { headers: { "accept-encoding": "gzip" } });
      await response.text();
      said.push(value, automaticCompression, response.headers.get("content-encoding"));
    }
  }
  Deno.env.delete("DENO_SERVE_AUTOMATIC_COMPRESSION");
  return said;
});
check("serve, reusePort", async () => {
  await using one = Deno.serve({ ...quiet, reusePort: true }, () => new Response("one"));
  await using two = Deno.serve({ ...quiet, reusePort: true, port: one.addr.port }, () => new Response("two"));
  return one.addr.port === two.addr.port;
});
check("serve, tcpBacklog", async () => {
  await using server = Deno.serve({ ...quiet, tcpBacklog: 7 }, () => new Response("ok"));
  return await ask(server);
});
check("serve, a path", async () => {
  const path = `${folder}/serve.sock`;
  await using server = Deno.serve({ path, onListen() {} }, (_, info) => Response.json(info.remoteAddr.transport));
  using conn = await Deno.connect({ transport: "unix", path });
  await conn.write(bytes("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  return [server.addr, (await new Response(conn.readable).text()).split("\r\n").at(-1)];
});
check("serve, ref and unref", async () => {
  await using server = Deno.serve(quiet, () => new Response());
  return [server.unref(), server.ref()];
});
check("serve, certFile", () => Deno.serve({ ...quiet, certFile: "x", keyFile: "y" }, () => new Response()));

classOnly("listenTls, a wrong keyFormat", () => Deno.listenTls({ ...local, cert: "", key: "", keyFormat: "jwk" }));
check("listen without a port", () => {
  using listener = Deno.listen({});
  return [listener.addr.hostname, listener.addr.port > 0, listener.addr.transport];
});
check("listener's members", () => {
  using listener = Deno.listen(local);
  return ["accept", "close", "ref", "unref", Symbol.asyncIterator, Symbol.dispose].map((name) => typeof listener[name]);
});
const pair = async () => {
  const listener = Deno.listen(local);
  const [server, client] = await Promise.all([listener.accept(), Deno.connect({ port: listener.addr.port })]);
  listener.close();
  return [server, client];
};
check("conn's members", async () => {
  const [server, client] = await pair();
  const names = ["read", "write", "close", "closeWrite", "ref", "unref", "setNoDelay", "setKeepAlive", Symbol.dispose];
  const said = [names.map((name) => typeof client[name]), client.ref(), client.unref()];
  said.push(Object.keys(client.localAddr).sort(), client.remoteAddr.port === server.localAddr.port);
  server.close();
  client.close();
  return said;
});
check("conn, both ways and half closed", async () => {
  const [server, client] = await pair();
  const buffer = new Uint8Array(9);
  const said = [
    await client.write(bytes("to")),
    await server.read(buffer),
    text(buffer.subarray(0, 2)),
    (await client.closeWrite()) ?? null,
  ];
  said.push(await server.read(buffer), await server.write(bytes("fro")), await client.read(buffer));
  server.close();
  said.push(await client.read(buffer));
  client.close();
  return said;
});
classOnly("conn closed", async () => {
  const [server, client] = await pair();
  server.close();
  client.close();
  return await client.read(new Uint8Array(1));
});
check("connect, aborted", async () => {
  const signal = AbortSignal.abort(new RangeError("enough"));
  await Deno.connect({ port: 1, signal });
});
classOnly("connect, refused", () => Deno.connect({ hostname: "127.0.0.1", port: 1 }));
check("accept after close", async () => {
  const listener = Deno.listen(local);
  listener.close();
  await listener.accept();
});

check("resolveDns of localhost", () => Deno.resolveDns("localhost", "A"));
classOnly("resolveDns, aborted", () =>
  Deno.resolveDns("localhost", "A", { signal: AbortSignal.abort(new RangeError("no")) }),
);
classOnly("resolveDns of a wrong type", () => Deno.resolveDns("localhost", "NONE"));

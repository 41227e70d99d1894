/**
 * A program for Deno that asks what its sockets do and prints the answers, a line each: run under Deno and under our
 * `Deno`, the lines must be the same.
 */
import process from "node:process";

// Deno's types are not those of this project; what is asked for is its shapes at run time.
// biome-ignore lint/suspicious/noExplicitAny: the whole namespace, untyped
const deno = (globalThis as any).Deno;

async function ask(question: string, answer: () => unknown): Promise<void> {
  let line: string;
  try {
    line = JSON.stringify(await answer()) ?? "undefined";
  } catch (error) {
    const { name, code, message } = error as Error & { code?: unknown };
    const isDenos = Object.entries(deno.errors).find(([, Class]) => error instanceof (Class as never))?.[0];
    // The system's sentence and number; ours go on to say where and what to do.
    const system = /^.*\(os error \d+\)/.exec(message)?.[0];
    line = `${name} ${isDenos ?? "-"} ${code ?? "-"} ${system ?? ""}`;
  }
  console.log(`${question}: ${line}`);
}

const listener = deno.listen({ port: 0, hostname: "127.0.0.1" });
const { port } = listener.addr;
const pair = async () => {
  const [a, b] = await Promise.all([deno.connect({ port }), listener.accept()]);
  return [a, b];
};
const some = () => new Uint8Array(10);

{
  const [a, b] = await pair();
  await ask("addresses match", () => [
    a.localAddr.port === b.remoteAddr.port,
    a.remoteAddr.port === port,
    b.localAddr.port === port,
    a.remoteAddr.transport,
    a.remoteAddr.hostname,
    Object.keys(a.remoteAddr).sort(),
  ]);
  const reads = [a.read(some()), a.read(some())];
  await b.write(new Uint8Array([1, 2, 3]));
  await ask("the first read that waits", () => reads[0]);
  await b.write(new Uint8Array([4]));
  await ask("the second", () => reads[1]);
  await ask("a read into nothing", () => a.read(new Uint8Array(0)));
  await ask("a write of nothing", () => a.write(new Uint8Array(0)));
  await ask("a read of a string", () => a.read("x"));
  await ask("a write of a string", () => a.write("x"));
  const waiting = b.read(some());
  b.close();
  await ask("close during a read", () => waiting);
  await ask("read after close", () => b.read(some()));
  await ask("write after close", () => b.write(some()));
  await ask("closeWrite after close", () => b.closeWrite());
  await ask("setNoDelay after close", () => b.setNoDelay());
  await ask("addresses after close", () => b.localAddr.port === port);
  await ask("read at the end", () => a.read(some()));
  await ask("read at the end, again", () => a.read(some()));
  await ask("a read into nothing at the end", () => a.read(new Uint8Array(0)));
  a.close();
}
{
  const [a, b] = await pair();
  await ask("closeWrite", async () => (await a.closeWrite()) ?? null);
  await ask("closeWrite again", async () => (await a.closeWrite()) ?? null);
  await ask("write after closeWrite", () => a.write(some()).catch((e: Error) => e.name));
  await ask("the peer reads the end", () => b.read(some()));
  await ask("and answers", () => b.write(some()));
  await ask("which arrives", () => a.read(new Uint8Array(20)));
  a.close();
  b.close();
}
{
  const [a, b] = await pair();
  await b.write(some());
  b.close();
  let size = 0;
  for await (const chunk of a.readable) size += chunk.length;
  await ask("readable", () => size);
}
{
  const [a, b] = await pair();
  await a.writable.abort();
  await ask("write after abort", () => a.write(some()));
  await ask("the peer of an aborted stream", () => b.read(some()));
  b.close();
}
{
  const [a, b] = await pair();
  void a.readable.pipeTo(a.writable);
  await b.write(some());
  await ask("an echo by pipeTo", () => b.read(new Uint8Array(20)));
  await b.closeWrite();
  await ask("and its end", () => b.read(some()));
  b.close();
}
await ask("connect, refused", () => deno.connect({ port: 1 }));
await ask("connect, aborted", () => deno.connect({ port, signal: AbortSignal.abort() }));
await ask("connect, aborted with a reason", () =>
  deno.connect({ port, signal: AbortSignal.abort(new RangeError("mine")) }),
);
await ask("listen, taken", () => deno.listen({ port, hostname: "127.0.0.1" }));
await ask("listen, port out of range", () => deno.listen({ port: 70000 }));
await ask("listen, another machine's address", () => deno.listen({ port: 0, hostname: "192.0.2.1" }));
await ask("listen, a port in digits", () => {
  const other = deno.listen({ port: "0" });
  other.close();
  return other.addr.hostname;
});
{
  const path = `/tmp/slipway-questions-${process.pid}.sock`;
  const unix = deno.listen({ transport: "unix", path });
  const [a, b] = await Promise.all([deno.connect({ transport: "unix", path }), unix.accept()]);
  await ask("a Unix listener's address", () => [unix.addr.transport, unix.addr.path === path]);
  await ask("a Unix client's remote address", () => [a.remoteAddr.transport, a.remoteAddr.path === path]);
  await a.write(some());
  await ask("bytes over it", () => b.read(some()));
  await ask("listen on the same path", () => deno.listen({ transport: "unix", path }));
  for (const end of [a, b, unix]) end.close();
  await ask("its file after close", () => deno.connect({ transport: "unix", path }));
  await ask("a missing folder", () => deno.listen({ transport: "unix", path: "/nosuch/folder/x.sock" }));
}
{
  const a = deno.listenDatagram({ port: 0, transport: "udp", hostname: "127.0.0.1" });
  const b = deno.listenDatagram({ port: 0, transport: "udp", hostname: "127.0.0.1" });
  await ask("a datagram socket's address", () => [a.addr.transport, a.addr.hostname]);
  await ask("send", () => a.send(some(), b.addr));
  await ask("receive", async () => {
    const [bytes, from] = await b.receive();
    return [bytes.length, from.port === a.addr.port, from.transport];
  });
  await a.send(new Uint8Array(100), b.addr);
  await ask("receive, too long", async () => (await b.receive(new Uint8Array(4)))[0].length);
  await ask("send, too long", () => a.send(new Uint8Array(70000), b.addr));
  const waiting = b.receive();
  b.close();
  await ask("close during a receive", () => waiting);
  await ask("receive after close", () => b.receive());
  await ask("send after close", () => b.send(some(), a.addr));
  a.close();
}
{
  const waiting = listener.accept();
  listener.close();
  await ask("close during an accept", () => waiting);
  await ask("accept after close", () => listener.accept());
  await ask("a loop over a closed listener", async () => {
    for await (const _ of listener) return "a connection";
    return "ended";
  });
  await ask("its address", () => listener.addr.port === port);
}

// @ts-nocheck: written for Deno, whose types are not installed here.
import { parts } from "./parts.ts";

interface Asked {
  readonly ask: string;
  readonly value?: unknown;
  readonly transfer?: boolean;
}

self.onmessage = async (event: MessageEvent<Asked>) => {
  const { ask, value, transfer } = event.data;
  switch (ask) {
    case "scope":
      return self.postMessage({
        name: self.name,
        file: location.href.replace(/.*\//, ""),
        scope: self instanceof DedicatedWorkerGlobalScope && self instanceof WorkerGlobalScope,
        global: self === globalThis,
        tag: Object.prototype.toString.call(self),
        location: location instanceof WorkerLocation,
        main: import.meta.main,
        namespace: [typeof Deno.listen, "mainModule" in Deno, Deno.args.length],
        absent: ["alert", "prompt", "window"].filter((key) => key in globalThis),
        parts: parts.length,
      });
    case "echo":
      return self.postMessage(value, transfer ? [value as ArrayBuffer] : []);
    case "add":
      Atomics.add(value as Int32Array, 0, 5);
      return self.postMessage("done");
    case "port": {
      event.ports[0].postMessage("through the port");
      event.ports[0].close();
      const { port1 } = new MessageChannel();
      return self.postMessage("another", { transfer: [port1] });
    }
    case "broadcast": {
      const channel = new BroadcastChannel("news");
      channel.postMessage("from the worker");
      channel.close();
      return self.postMessage("done");
    }
    case "nested": {
      const inner = new Worker(new URL("./nested.ts", import.meta.url), { type: "module", name: "inner" });
      inner.onmessage = ({ data }) => self.postMessage(data);
      return inner.postMessage("hello from");
    }
    case "network":
      return self.postMessage(await network());
    case "serve": {
      const { addr } = Deno.serve({ port: 0, onListen() {} }, (request) => new Response(new URL(request.url).pathname));
      return self.postMessage((addr as Deno.NetAddr).port);
    }
    case "close":
      self.postMessage("before close");
      self.close();
      return self.postMessage("after close");
    case "throw":
      return void setTimeout(() => {
        throw new RangeError("thrown in the worker");
      });
    case "handled":
      self.addEventListener("error", (event) => {
        event.preventDefault();
        self.postMessage(event.message);
      });
      return void setTimeout(() => {
        throw new RangeError("taken care of");
      });
    case "spin with network":
      await network();
      self.postMessage("spinning");
      for (;;);
    case "spin":
      self.postMessage("spinning");
      for (;;);
    case "wait":
      self.postMessage("waiting");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
};

async function network(): Promise<string> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const [conn, accepted] = await Promise.all([
    Deno.connect({ port: (listener.addr as Deno.NetAddr).port, hostname: "127.0.0.1" }),
    listener.accept(),
  ]);
  await conn.write(new TextEncoder().encode("bytes over TCP"));
  const bytes = new Uint8Array(100);
  const count = (await accepted.read(bytes)) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, count));
}

// @ts-nocheck: written for Deno, whose types are not installed here.
// What web workers do, line by line: the same under Deno, under `slipway run` and compiled.
import { parts } from "./parts.ts";

type Options = ConstructorParameters<typeof Worker>[1];

function start(options: Options = {}): Worker {
  return new Worker(new URL("./worker.ts?it=1#x", import.meta.url), { type: "module", ...options });
}

function answer<T>(worker: Worker, message: unknown, transfer: Transferable[] = []): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onmessageerror = () => reject(new Error("messageerror"));
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(message, transfer);
  });
}

const worker = start({ name: "one" });
console.log("scope", JSON.stringify(await answer(worker, { ask: "scope" })));
const map = new Map<unknown, unknown>([["list", [1, "two"]]]);
map.set("self", map);
const back = await answer<typeof map>(worker, { ask: "echo", value: map });
console.log("clone", String(back.get("list")), back.get("self") === back, back !== map);
const buffer = new ArrayBuffer(16);
const moved = await answer<ArrayBuffer>(worker, { ask: "echo", value: buffer, transfer: true }, [buffer]);
console.log("transfer", buffer.byteLength, moved.byteLength);
const shared = new Int32Array(new SharedArrayBuffer(4));
await answer(worker, { ask: "add", value: shared });
console.log("shared", shared[0]);
const { port1, port2 } = new MessageChannel();
const heard = new Promise((resolve) => {
  port1.onmessage = ({ data }) => resolve(data);
});
const ports = await new Promise<readonly MessagePort[]>((resolve) => {
  worker.onmessage = (event) => resolve(event.ports);
  worker.postMessage({ ask: "port" }, [port2]);
});
console.log("port", await heard, ports.length);
ports[0].close();
port1.close();
const channel = new BroadcastChannel("news");
const news = new Promise((resolve) => {
  channel.onmessage = ({ data }) => resolve(data);
});
await answer(worker, { ask: "broadcast" });
console.log("broadcast", await news);
channel.close();
try {
  worker.postMessage(() => {});
} catch (error) {
  console.log("function", error instanceof DOMException, (error as DOMException).name);
}
console.log("nested", await answer(worker, { ask: "nested" }));
console.log("network", await answer(worker, { ask: "network" }));
const port = await answer<number>(worker, { ask: "serve" });
console.log("serve", await (await fetch(`http://127.0.0.1:${port}/x`)).text());
worker.terminate();
worker.terminate();
worker.postMessage("nobody hears it");

const order: number[] = [];
const ordered = start();
ordered.addEventListener("message", () => order.push(1));
ordered.onmessage = () => order.push(0);
ordered.addEventListener("message", () => order.push(3));
ordered.onmessage = () => order.push(2);
await new Promise((resolve) => {
  ordered.addEventListener("message", resolve);
  ordered.postMessage({ ask: "echo", value: 1 });
});
console.log("order", order.join());
const closed = new Promise<unknown>((resolve) => {
  ordered.onmessage = ({ data }) => resolve(data);
});
ordered.postMessage({ ask: "close" });
console.log("close", await closed);

const failing = start({ name: "failing" });
const failure = await new Promise<ErrorEvent>((resolve) => {
  failing.onerror = (event) => {
    event.preventDefault();
    resolve(event);
  };
  failing.postMessage({ ask: "throw" });
});
console.log("error", failure.message, failure.filename.replace(/.*\/|[?#].*/g, ""), failure.lineno > 0, failure.error);

const handled = start();
console.log("handled", await answer(handled, { ask: "handled" }));
handled.terminate();

const source = `const text: string = "typed"; onmessage = () => { postMessage(text + " " + self.name + " " + location.protocol); };`;
const data = new Worker(`data:application/typescript;base64,${btoa(source)}`, { type: "module", name: "data" });
console.log("data", await answer(data, 0));
data.terminate();
const url = URL.createObjectURL(new Blob([source], { type: "application/typescript" }));
const blob = new Worker(url, { type: "module", name: "blob" });
URL.revokeObjectURL(url);
console.log("blob", await answer(blob, 0));
blob.terminate();

const module = URL.createObjectURL(new Blob(["export const n: number = 6;"], { type: "text/typescript" }));
console.log("imported", (await import(module)).n);

const computed = new Worker(import.meta.resolve(`./${parts.join("")}`), { type: "module" });
console.log("computed", await answer(computed, 20));
computed.terminate();

for (const ask of ["spin", "spin with network", "wait"]) {
  const busy = start();
  await answer(busy, { ask });
  busy.terminate();
  console.log(ask, "terminated");
}
// What still lives ends with the process.
const left = start();
await answer(left, { ask: "network" });
await answer(start(), { ask: "spin with network" });
console.log("bye");
Deno.exit(7);

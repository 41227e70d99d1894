// Hears of all that happens to it, and survives what can be survived: what it says is the same under Deno.
const told = (event: Event, ...more: unknown[]) =>
  console.log(event.type, event.constructor.name, event.cancelable, event.target === globalThis, ...more);

for (const type of ["load", "beforeunload", "unload"]) addEventListener(type, (event) => told(event, "listener"));
globalThis.onload = (event: Event) => told(event, "replaced");
globalThis.onload = function (this: unknown, event: Event) {
  told(event, "handler", this === globalThis, event.currentTarget === globalThis);
};
globalThis.onunload = (event: Event) => told(event, "handler");
globalThis.onbeforeunload = () => console.log("never");
globalThis.onbeforeunload = null;
let asked = 0;
addEventListener("beforeunload", (event) => {
  if (++asked > 2) return;
  event.preventDefault();
  setTimeout(() => console.log("one more"), 1);
});

addEventListener("error", (event) => {
  event.preventDefault();
  const { message, filename, lineno, error } = event as ErrorEvent;
  told(event, message, filename.replace(/.*\//, ""), lineno > 0, error instanceof Error ? error.message : error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  const { promise, reason } = event as Event & { promise: unknown; reason: unknown };
  told(event, reason, promise instanceof Promise, event instanceof PromiseRejectionEvent);
  setTimeout(throwing);
});
// One begins the next: what is due at once comes in no order.
function throwing() {
  setTimeout(reporting);
  throw new Error("thrown");
}
function reporting() {
  setTimeout(() => {
    throw 5;
  });
  reportError(new TypeError("reported"));
}

const once = { handleEvent: (event: Event) => told(event, "object") };
addEventListener("own", once, { once: true });
const removed = () => console.log("never");
addEventListener("own", removed);
addEventListener("own", removed);
removeEventListener("own", removed);
addEventListener("own", () => {
  throw new RangeError("in a listener");
});
addEventListener("own", (event) => event.preventDefault());
console.log(dispatchEvent(new CustomEvent("own", { cancelable: true })), dispatchEvent(new Event("own")));
for (const wrong of [
  () => (reportError as () => void)(),
  () => dispatchEvent({} as Event),
  () => (closed as unknown) === 1,
]) {
  try {
    console.log(wrong());
  } catch (error) {
    console.log((error as Error).name);
  }
}

Promise.reject("nobody's");
console.log("loading");
await 0;
console.log(self === globalThis, name, typeof location, closed, alert("a"), confirm("b"), prompt("c", "d"));
console.log("loaded", navigator.userAgent.startsWith("Deno/"));

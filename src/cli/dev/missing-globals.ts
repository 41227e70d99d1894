/** Globals that Deno or browsers have and a server here has not: what to use instead. */

const INSTEAD: Readonly<Record<string, string>> = {
  alert: "write with console.log",
  caches: "keep answers in a Map, or in node:sqlite",
  confirm: "read a line of Deno.stdin, or use node:readline/promises",
  localStorage: "keep values in a file, or in node:sqlite",
  prompt: "read a line of Deno.stdin, or use node:readline/promises",
  self: "write globalThis",
  window: "write globalThis, as in Deno 2",
  Worker: "use Worker of node:worker_threads, or --parallel for more cores",
};

/** A sentence for a ReferenceError that names one of them; "" for anything else. */
export function instead(error: Error): string {
  const name = error.name === "ReferenceError" ? /^(\w+) is not defined$/.exec(error.message)?.[1] : undefined;
  if (name === undefined || !Object.hasOwn(INSTEAD, name)) return "";
  return `there is no ${name} here: ${INSTEAD[name]}`;
}

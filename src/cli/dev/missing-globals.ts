/** Globals of browsers that Deno has not either (src/deno/globals.ts has those that it has): what to use instead. */

const INSTEAD: Readonly<Record<string, string>> = {
  document: "a server has no page: make HTML as text, or with a library such as preact-render-to-string",
  window: "write globalThis, as in Deno 2",
};

/** A sentence for a ReferenceError that names one of them; "" for anything else. */
export function instead(error: Error): string {
  const name = error.name === "ReferenceError" ? /^(\w+) is not defined$/.exec(error.message)?.[1] : undefined;
  if (name === undefined || !Object.hasOwn(INSTEAD, name)) return "";
  return `there is no ${name} here: ${INSTEAD[name]}`;
}

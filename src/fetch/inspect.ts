/** How `console.log` shows our classes: as it shows the native ones. */

/** Node's, Deno's and Bun's hook for `console.log`. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

type Inspect = (value: unknown, options: object) => string;

/** `Response { status: 200, … }`. `inspect` is handed to the hook by those who call it. */
export function describe(name: string, shown: object, depth: number, options: object, inspect?: Inspect): string {
  if (inspect === undefined || depth < 0) return `[${name}]`;
  return `${name} ${inspect(shown, options)}`;
}

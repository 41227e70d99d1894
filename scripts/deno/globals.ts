/**
 * What becomes of Deno's global scope, the namespace `Deno` and the language's own names aside. The names are those of
 * `Object.getOwnPropertyNames(globalThis)` in Deno and those that it inherits, by what `typeof` says of them, in scripts/deno/globals.txt:
 *
 *     function addEventListener alert
 *     object caches
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";

export const globalsFile = new URL("globals.txt", import.meta.url);

export interface Global {
  readonly name: string;
  /** Under Deno. */
  readonly type: string;
}

export type GlobalVerdict = "works" | "differs" | "refused" | "absent";

const INHERITED = ["addEventListener", "removeEventListener", "dispatchEvent"];

const differs: Readonly<Record<string, string>> = {
  navigator: "`userAgent` begins with Deno's, and ends with Slipway's; no `gpu`, no `userAgentData`",
  prompt: "the default is shown in brackets, where Deno has it in the line already",
  onunload: "also when a signal has drained the server, of which Deno does not tell",
  caches: "in this thread's memory, within [`cacheMaxBytes`](client.md#caches), where Deno has them on the disk",
  localStorage:
    "in memory, as `sessionStorage` is: gone with the process, of which a line tells once something is written",
  Worker:
    "of files, `data:` and `blob:`; `deno.permissions` change nothing, as none do; one whose name no bundler can read starts when it has been bundled, and in an executable has to be included",
  WebSocket: "Node's: the settings of our client, and `Deno.createHttpClient`, are not for it",
};

/** Programs look whether they are there, and go another way. */
const absent: readonly (readonly [names: RegExp, why: string])[] = [
  [/^(GPU|DOM(Matrix|Point|Quad|Rect)|Image(Data|Bitmap)|OffscreenCanvas$|createImageBitmap$)/, "graphics"],
  [/^(FileReader|ProgressEvent)$/, "use the methods of Blob: `text()`, `bytes()`, `stream()`"],
  [/^(Lock|LockManager)$/, "`navigator.locks` is there, its classes have no names"],
  [/^(Location|NavigatorUAData|Window)$/, "a class that nobody can make anything of"],
];

export function globalVerdict(name: string): readonly [GlobalVerdict, about: string] {
  if (Object.hasOwn(differs, name)) return ["differs", differs[name]];
  const why = absent.find(([names]) => names.test(name))?.[1];
  return why === undefined ? ["works", ""] : ["absent", why];
}

/** The names in scripts/deno/globals.txt. */
export function listedGlobals(): Global[] {
  return readFileSync(globalsFile, "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [type, ...names] = line.split(" ");
      return names.map((name) => ({ name, type }));
    });
}

/** The list as this Deno would have it. */
export function globalsOf(deno: string): string {
  const names = `[...Object.getOwnPropertyNames(globalThis), ...${JSON.stringify(INHERITED)}]`;
  const ask = `JSON.stringify(${names}.sort().map((name) => [name, typeof globalThis[name]]))`;
  const said = execFileSync(deno, ["eval", `console.log(${ask})`], { encoding: "utf8", env: { NO_COLOR: "1" } });
  const language = new Set<string>(runInNewContext("Object.getOwnPropertyNames(globalThis)"));
  const byType = new Map<string, string[]>();
  for (const [name, type] of JSON.parse(said) as [string, string][]) {
    if (name === "Deno" || language.has(name)) continue;
    byType.set(type, [...(byType.get(type) ?? []), name]);
  }
  return [...byType].map(([type, names]) => `${type} ${names.join(" ")}\n`).join("");
}

/** What is there first; those about which there is the same to say share a row. */
export function globalsTable(): string {
  const rows = new Map<string, string[]>();
  for (const { name } of listedGlobals()) {
    const [verdict, about] = globalVerdict(name);
    const end = `${verdict} | ${about}`;
    rows.set(end, [...(rows.get(end) ?? []), `\`${name}\``]);
  }
  const order = (end: string) => ["works", "differs", "refused", "absent"].indexOf(end.replace(/ .*/, ""));
  const lines = [...rows]
    .sort(([a], [b]) => order(a) - order(b))
    .map(([end, names]) => `| ${names.join(", ")} | ${end} |`);
  return `\n### Global scope\n\n| name | | |\n|---|---|---|\n${lines.join("\n")}\n`;
}

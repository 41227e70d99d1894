/** The project around a handler: deno.json's import map and compiler options. (package.json and tsconfig.json are esbuild's.) */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BundleError } from "./errors.ts";

/** What of deno.json matters to us. */
export interface DenoConfig {
  readonly directory: string;
  readonly imports: Readonly<Record<string, string>>;
  readonly compilerOptions: Readonly<Record<string, unknown>> | undefined;
}

/** The nearest deno.json or deno.jsonc at or above `directory`. */
export function denoConfig(directory: string): DenoConfig | undefined {
  for (const folder of upwards(directory)) {
    for (const name of ["deno.json", "deno.jsonc"]) {
      const file = join(folder, name);
      if (!existsSync(file)) continue;
      let config: { imports?: Record<string, string>; compilerOptions?: Record<string, unknown> };
      try {
        config = JSON.parse(withoutComments(readFileSync(file, "utf8")));
      } catch (error) {
        throw new BundleError([{ text: `not valid JSON: ${(error as Error).message}`, file }]);
      }
      return { directory: folder, imports: config.imports ?? {}, compilerOptions: config.compilerOptions };
    }
  }
  return undefined;
}

/** True when a tsconfig.json lies at or above `directory`: then esbuild reads it and deno.json's options rest. */
export function hasTsconfig(directory: string): boolean {
  return [...upwards(directory)].some((folder) => existsSync(join(folder, "tsconfig.json")));
}

function* upwards(directory: string): Generator<string> {
  for (let folder = directory; ; folder = dirname(folder)) {
    yield folder;
    if (folder === dirname(folder)) return;
  }
}

/** JSON with comments and trailing commas, as Deno reads it, to plain JSON; strings stay as they are. */
export function withoutComments(text: string): string {
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string) => string ?? " ")
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? "");
}

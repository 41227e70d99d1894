/** Imports of what esbuild does not know and Deno does: WebAssembly modules, and `data:` URLs with TypeScript in them. */
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Plugin } from "esbuild";

const DATA = "slipway-data";

export function moreFiles(): Plugin {
  return {
    name: "slipway-more-files",
    setup(build) {
      build.onResolve({ filter: /^data:(application|text)\/typescript[;,]/ }, ({ path }) => ({
        path,
        namespace: DATA,
      }));
      build.onLoad({ filter: /.*/, namespace: DATA }, ({ path }) => {
        const [, base64, data] = /^data:[^,;]*(?:;(?!base64)[^,;]*)*(;base64)?,(.*)$/s.exec(path) ?? [];
        const text = decodeURIComponent(data ?? "");
        return { contents: base64 === undefined ? text : Buffer.from(text, "base64").toString(), loader: "ts" };
      });
      build.onLoad({ filter: /\.wasm$/, namespace: "file" }, async ({ path, with: attributes }) => {
        if (Object.keys(attributes).length > 0) return undefined;
        try {
          return {
            contents: instance(await readFile(path), `./${basename(path)}`),
            loader: "js",
            resolveDir: dirname(path),
          };
        } catch (error) {
          return { errors: [{ text: `not a WebAssembly module: ${(error as Error).message}` }] };
        }
      });
    },
  };
}

/**
 * A module that exports what the instance does, and imports what it wants, as the ES module integration of WebAssembly
 * has it (https://github.com/WebAssembly/esm-integration).
 */
function instance(bytes: Uint8Array<ArrayBuffer>, path: string): string {
  const module = new WebAssembly.Module(bytes);
  const modules = [...new Set(WebAssembly.Module.imports(module).map((wanted) => wanted.module))];
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  return [
    `import bytes from ${JSON.stringify(path)} with { type: "bytes" };`,
    ...modules.map((name, index) => `import * as import${index} from ${JSON.stringify(name)};`),
    `const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {${modules
      .map((name, index) => `${JSON.stringify(name)}: import${index}`)
      .join(", ")}});`,
    ...names.map((name, index) => `const export${index} = exports[${JSON.stringify(name)}];`),
    `export { ${names.map((name, index) => `export${index} as ${JSON.stringify(name)}`).join(", ")} };`,
  ].join("\n");
}

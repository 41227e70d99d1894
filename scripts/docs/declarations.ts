/** The library's declarations, as tsc writes them for the npm package. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Writes them below dist/ and returns the folder of src/. */
export function declarations(repository: string, output: string = join(repository, "dist/declarations")): string {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const config = {
    extends: join(repository, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rewriteRelativeImportExtensions: true,
      rootDir: repository,
      outDir: output,
      typeRoots: [join(repository, "node_modules/@types")],
    },
    include: [],
    files: [join(repository, "src/mod.ts")],
  };
  writeFileSync(join(output, "tsconfig.json"), JSON.stringify(config));
  const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  execFileSync(process.execPath, [join(typescript, "bin/tsc"), "--project", output], { stdio: "inherit" });
  return join(output, "src");
}

/** What a module exports, for those who asked it for something else. */
import { extname, resolve } from "node:path";
import type { Problem } from "./errors.ts";
import { esbuild } from "./esbuild.ts";

const MISSING = /^No matching export in "([^"]+)" for import "([^"]+)"$/;
/** As many names as somebody reads. */
const MOST = 12;

/** The problems, with what is there instead where an import names what its module does not export. */
export async function withExports(problems: readonly Problem[], base: string): Promise<Problem[]> {
  return Promise.all(
    problems.map(async (problem) => {
      const [, file = ""] = MISSING.exec(problem.text) ?? [];
      if (!/^\.[cm]?[jt]sx?$/.test(extname(file))) return problem;
      const names = await exportsOf(resolve(base, file));
      return names === undefined ? problem : { ...problem, text: `${problem.text}: ${told(names)}` };
    }),
  );
}

/** Of the module itself: what it passes on with `export *` is not looked up. */
async function exportsOf(file: string): Promise<readonly string[] | undefined> {
  try {
    const options = { format: "esm", metafile: true, write: false, outdir: ".", logLevel: "silent" } as const;
    const { metafile } = await esbuild({ entryPoints: [file], ...options });
    return Object.values(metafile?.outputs ?? {}).find(({ entryPoint }) => entryPoint !== undefined)?.exports;
  } catch {
    return undefined;
  }
}

function told(names: readonly string[]): string {
  if (names.length === 0) return "it exports nothing";
  return `it exports ${names.slice(0, MOST).join(", ")}${names.length > MOST ? ", …" : ""}`;
}

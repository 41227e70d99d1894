// The small map against the whole one, as Node reads both: every position has the same source and line.
import { SourceMap, type SourceMapPayload } from "node:module";
import { build } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { linesOnly } from "../../scripts/source-map-lines.ts";
import { repository } from "../support/process.ts";

test("every position of a minified program has the same source and line", async () => {
  const { outputFiles } = await build({
    ...{ absWorkingDir: repository, entryPoints: ["src/options/resolve.ts"], outfile: "x.cjs", write: false },
    ...{ bundle: true, format: "cjs", platform: "node", target: "esnext", minifyWhitespace: true, minifySyntax: true },
    ...{ sourcemap: "external", sourcesContent: false },
  } as const);
  const code = outputFiles.find(({ path }) => path.endsWith(".cjs"))?.text ?? "";
  const text = outputFiles.find(({ path }) => path.endsWith(".map"))?.text ?? "";
  const small = linesOnly(text);
  assert.ok(small.length < text.length / 2, `${small.length} of ${text.length}`);
  const read = (map: string) => new SourceMap(JSON.parse(map) as SourceMapPayload);
  const [whole, lines] = [read(text), read(small)];
  let compared = 0;
  for (const [line, content] of code.split("\n").entries()) {
    for (let column = 0; column < content.length; column++) {
      const [a, b] = [whole, lines].map((map) => map.findEntry(line, column) as Record<string, unknown>);
      assert.is(b["originalSource"], a["originalSource"], `${line}:${column}`);
      assert.is(b["originalLine"], a["originalLine"], `${line}:${column}`);
      compared++;
    }
  }
  assert.ok(compared > 1000);
});

test.run();

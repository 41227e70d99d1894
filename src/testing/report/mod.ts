/** Who shows results: `--reporter` and `--junit-path`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Reporter } from "../results.ts";
import { wantsColors } from "./colors.ts";
import { DotReporter } from "./dot.ts";
import { JunitReporter } from "./junit.ts";
import { PrettyReporter } from "./pretty.ts";
import { TapReporter } from "./tap.ts";

export const reporterNames = ["pretty", "dot", "tap", "junit"] as const;
export type ReporterName = (typeof reporterNames)[number];

/** `junitPath`: a file, or `-` for standard output. */
export function makeReporters(name: ReporterName, junitPath: string | undefined): Reporter[] {
  const write = (text: string | Uint8Array) => void process.stdout.write(text);
  const colors = wantsColors(process.stdout);
  const reporters: Reporter[] = [];
  if (name === "pretty") reporters.push(new PrettyReporter(write, colors));
  if (name === "dot") reporters.push(new DotReporter(write, colors));
  if (name === "tap") reporters.push(new TapReporter(write));
  if (name === "junit" && junitPath !== "-") reporters.push(new JunitReporter(write));
  if (junitPath !== undefined) {
    reporters.push(
      new JunitReporter((xml) => {
        if (junitPath === "-") return write(xml);
        mkdirSync(dirname(junitPath), { recursive: true });
        writeFileSync(junitPath, xml);
      }),
    );
  }
  return reporters;
}

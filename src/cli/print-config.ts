/** `--print-config`: each option, its value, and where that came from. Nothing is served. */
import { writeSync } from "node:fs";
import { handover } from "../net/handover.ts";
import { showConfig } from "../options/help.ts";
import type { Resolved } from "../options/resolve.ts";
import { tell } from "./output.ts";

export type PrintFormat = "text" | "json";

export function printAndEnd({ entries }: Resolved, format: PrintFormat): never {
  writeSync(1, format === "json" ? `${JSON.stringify(entries, undefined, 2)}\n` : showConfig(entries));
  process.exit(0);
}

/** A plain program shows its options as it begins to listen: what it says itself in `Deno.serve` is not known yet. */
export function printAtListening(early: Resolved, format: PrintFormat, program: string, file: string): void {
  handover.open = () => {
    tell(`${program}: ${file} listens on its own: what it says itself goes before what is "default" here\n`);
    return printAndEnd(early, format);
  };
}

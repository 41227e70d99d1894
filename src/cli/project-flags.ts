/** How one names the project, as with Deno: `--config`, `--no-config` and `--import-map`. src/bundle/project.ts has them. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { UsageError } from "./errors.ts";

interface Given {
  readonly config?: string | boolean;
  readonly importMap?: string;
}

export function projectFlags(command: Command): Command {
  return command
    .option("-c, --config <file>", "the project's deno.json, if not the nearest")
    .option("--no-config", "no deno.json at all")
    .option("--import-map <file>", "an import map instead of that of deno.json")
    .hook("preAction", async (_, action) => {
      const { config, importMap } = action.opts<Given>();
      if (config !== false && typeof config !== "string" && importMap === undefined) return;
      const { askProject } = await import("../bundle/project.ts");
      askProject({
        ...(config === false && { config }),
        ...(typeof config === "string" && { config: fileAt("--config", config) }),
        ...(importMap !== undefined && { importMap: fileAt("--import-map", importMap) }),
      });
    });
}

function fileAt(flag: string, name: string): string {
  const file = resolve(name);
  if (!existsSync(file)) throw new UsageError(`${flag} ${name}: there is no such file`);
  return file;
}

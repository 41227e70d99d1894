/** The command line as data, for completions and the manual page: verbs, flags and what their values are. */
import type { Command, Option } from "commander";
import { flagOf, optionTable } from "../options/table.ts";
import { guides } from "./guides/list.ts";
import { templates } from "./templates.ts";

/** What may stand there: one of these words, a program's file, any file, or what nobody can guess. */
export type Value = { readonly words: readonly string[] } | "program" | "file" | "any";

export interface Flag {
  readonly long: string;
  readonly short?: string;
  readonly says: string;
  /** What follows it; absent where nothing does. */
  readonly value?: Value;
  /** How help names that. */
  readonly shown?: string;
  /** It may be given several times. */
  readonly repeats: boolean;
}

export interface Verb {
  readonly name: string;
  readonly says: string;
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** What stands behind the verb. */
  readonly words?: Value;
}

/** The verbs in the order of help. */
export function verbsOf(program: Command): Verb[] {
  const names = program.commands.map((command) => command.name());
  const words: Readonly<Record<string, Value | undefined>> = {
    new: undefined,
    version: undefined,
    doctor: undefined,
    upgrade: undefined,
    help: { words: [...new Set([...names, ...guides().map(({ name }) => name)])] },
    completions: { words: ["bash", "zsh", "fish", "powershell"] },
  };
  return program.commands.map((command) => {
    const name = command.name();
    return {
      name,
      says: command.description(),
      usage: command.usage().trim(),
      flags: [
        ...command.options.filter(({ hidden }) => !hidden).map(flag),
        { long: "--help", short: "-h", says: "show help", repeats: false },
      ],
      words: Object.hasOwn(words, name) ? words[name] : "program",
    };
  });
}

function flag(option: Option): Flag {
  const { short, description } = option;
  // `--env-file[=<file>]`, which commander takes for a name.
  const long = option.long?.replace(/\[=.*$/, "") ?? "";
  // What stands behind a `=` only is no word of its own.
  const shown = option.flags.includes("[=") ? undefined : /[<[](.*)[>\]]$/.exec(option.flags)?.[1];
  const listed = optionTable.find((one) => `--${flagOf(one)}` === long);
  const repeats = listed?.kind === "list" || /several times/.test(description);
  if (shown === undefined) return { long, short, says: description, repeats };
  return { long, short, says: description, shown, value: valueAfter(long, listed), repeats };
}

function valueAfter(long: string, listed: (typeof optionTable)[number] | undefined): Value {
  if (long === "--template") return { words: Object.keys(templates) };
  if (long === "--reporter") return { words: ["pretty", "dot", "tap", "junit"] };
  if (listed?.kind === "choice") return { words: listed.choices };
  if (listed !== undefined) {
    const files = "files" in listed && listed.files === true;
    return files || /^(?:path|file)$/.test("value" in listed ? listed.value : "") ? "file" : "any";
  }
  return /^--(?:output|include|env-file|ignore|junit-path)$/.test(long) ? "file" : "any";
}

/** The endings of a program's file, for shells that match by them. */
export const PROGRAM_ENDINGS = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"];

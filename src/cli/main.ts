#!/usr/bin/env node
/**
 * The command line: what verbs and flags there are, in words. What a verb does lives in its own file, loaded when it is
 * called, so that `slipway version` never waits for the bundler.
 */
// First of all: until somebody listens to SIGUSR1, Node opens a debugger's port on it.
import "./task-signal.ts";
import { existsSync, statSync } from "node:fs";
import { Command, CommanderError, Help, Option } from "commander";
import { optionsHelp, placeholder } from "../options/help.ts";
import { flagOf, optionTable } from "../options/table.ts";
import type { CheckOptions } from "./check.ts";
import type { CompileOptions } from "./compile.ts";
import { die, noFormat, SourceFailure, UsageError } from "./errors.ts";
import type { NewOptions } from "./new.ts";
import { endWithOutput } from "./output.ts";
import type { RunOptions } from "./run.ts";
import { didYouMean } from "./suggestions.ts";

/** Runs the command line in `argv` (without program and script names). */
export async function main(argv: readonly string[]): Promise<void> {
  const handover = process.env.SLIPWAY_WATCH_CHILD;
  if (handover !== undefined) {
    delete process.env.SLIPWAY_WATCH_CHILD;
    return (await import("./watch-child.ts")).runWatchChild(handover);
  }
  endWithOutput();
  try {
    const program = commandLine(argv);
    checkVerb(program, argv[0]);
    await program.parseAsync(plainFlags(await envFiles(argv)), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) die(await sourceFailure(error), "slipway");
    // Help that was asked for ends as an "error" with code 0; every other one is a mistake in the command line.
    if (error.exitCode !== 0) die(new UsageError(explain(error, argv[0])), "slipway");
  }
}

function commandLine(argv: readonly string[]): Command {
  const program = new Command("slipway");
  program
    .description("From a TypeScript handler to a production server, as one executable file.")
    .usage("<verb> [options]")
    .helpCommand(false)
    .helpOption("-h, --help", "show help")
    .option("-V, --version", "print the version")
    .addHelpText("after", examples("slipway new shop", "slipway run shop/server.ts", "slipway help compile"))
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}` })
    // Errors are thrown to main(), which says them in one line.
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .action(async (options: { version?: boolean }) => {
      if (options.version) return (await import("./version.ts")).printVersion(false);
      program.outputHelp();
    });

  verb(program, "new", "make a new server from a template")
    .usage("<name> [options]")
    .argument("<name>", "the new folder's name; . for the current, empty folder")
    .option("-t, --template <template>", "http, tcp, proxy or minimal", "http")
    .option("-f, --force", "write into a folder that is not empty, overwriting files of the same name")
    .addHelpText("after", examples("slipway new shop", "slipway new talk --template tcp", "slipway new ."))
    .action(async (name: string, options: NewOptions) => (await import("./new.ts")).newProject(name, options));

  serverFlags(verb(program, "run", "serve a handler file"))
    .usage("<file> [options] [-- args…]")
    .argument("[file]", "the program: TypeScript, JavaScript or JSX")
    .argument("[args...]", "what the program finds in Deno.args")
    .option("-w, --watch", "restart when a file changes, without refusing a connection")
    .option("--env-file[=<file>]", "take variables from a file (default: .env) that the environment does not have")
    .option("--print-config", "show the value of each option and where it came from, and end (=json: as JSON)")
    .addOption(new Option("--print-config-json").hideHelp())
    .addHelpText("after", `\n${optionsHelp()}`)
    .addHelpText(
      "after",
      examples(
        "slipway run server.ts",
        "slipway run server.ts --watch --port 8080",
        "slipway run server.ts --read-timeout 2m --max-body-bytes none --print-config",
        "slipway run tool.ts -- --its-own flag",
      ),
    )
    .action(async (file: string | undefined, args: string[], options: RunOptions) => {
      refuseStray(args, argv);
      if (file === undefined) throw new UsageError(needs("run"));
      await (await import("./run.ts")).run(file, options, args);
    });

  verb(program, "compile", "make one executable of a handler file")
    .usage("<file> [options]")
    .argument("<file>", "the program: TypeScript, JavaScript or JSX")
    .option("-o, --output <path>", "the executable to write (default: the file's name without its ending)")
    .option("--include <path>", "embed a file or a folder; may be given several times", collect)
    .option("--locales <list>", "languages to bring data of, as en,de; without it all: 27 MB more")
    .option("--target <target>", "the system to compile for (default: this one)")
    .addHelpText(
      "after",
      examples(
        "slipway compile server.ts -o shop",
        "slipway compile server.ts -o shop --include static",
        "./shop --port 8080",
      ),
    )
    .action(async (file: string, options: Partial<CompileOptions>) => {
      const { entryFile, outputName } = await import("./entry.ts");
      const entry = entryFile(file, "compile");
      const { compile } = await import("./compile.ts");
      await compile(entry, { ...options, output: options.output ?? outputName(entry) });
    });

  verb(program, "check", "look for what would hurt in production")
    .usage("<file…|url> [options]")
    .argument("<target...>", "files or folders to read, or the address of a running server on this machine")
    .option("--json", "print the findings as JSON")
    .option("--sarif", "of files: print the findings as SARIF 2.1.0, for code hosts")
    .option("--quick", "of a server: only the attacks that take seconds")
    .option("--pid <pid>", "of a server: its process, to see it drain; that ends it")
    .option("--path <path>", "of a server: what to ask for (default: the path of its address)")
    .option("--large-path <path>", "of a server: a path that answers with 16 MiB or more, for a reader that stalls")
    .option("--upload-path <path>", "of a server: a path that reads the bodies of requests")
    .addHelpText(
      "after",
      `\nExit code: 0 nothing to mend, 1 something to mend, 2 the command line was wrong.\n${examples(
        "slipway check server.ts",
        "slipway check server.ts --sarif > check.sarif",
        "slipway check http://localhost:8000",
      )}`,
    )
    .action(async (targets: string[], options: CheckOptions) => (await import("./check.ts")).check(targets, options));

  verb(program, "version", "print the version")
    .usage("[--verbose]")
    .option("-v, --verbose", "and that of every part, and the poller that was chosen")
    .addHelpText("after", examples("slipway version", "slipway version --verbose"))
    .action(async (options: { verbose?: boolean }) =>
      (await import("./version.ts")).printVersion(options.verbose === true),
    );

  verb(program, "help", "show help for a verb")
    .usage("[verb]")
    .argument("[verb]")
    .addHelpText("after", examples("slipway help", "slipway help run"))
    .action((name?: string) => {
      if (name === undefined) return program.outputHelp();
      const found = program.commands.find((command) => command.name() === name);
      if (found === undefined) throw unknownVerb(program, name);
      found.outputHelp();
    });

  return program;
}

function verb(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).helpOption("-h, --help", "show help");
}

/** The table's options. Help shows them by group and for themselves, but commander has to know them to suggest them. */
function serverFlags(command: Command): Command {
  const names = new Set<string | undefined>();
  for (const option of optionTable) {
    const flag = `--${flagOf(option)}`;
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const made = new Option(`${short}${flag}${placeholder(option)}`, option.says);
    if (option.kind === "list") made.argParser(collect);
    command.addOption(made);
    if (option.kind === "flag") command.addOption(new Option(`--no-${flagOf(option)}`).hideHelp());
    names.add(flag);
  }
  return command.configureHelp({
    formatHelp(shown: Command, helper: Help): string {
      const all = helper.visibleOptions.bind(helper);
      helper.visibleOptions = (of) => all(of).filter(({ long }) => !names.has(long));
      return Help.prototype.formatHelp.call(helper, shown, helper);
    },
  });
}

/** Before anything looks at the environment. */
async function envFiles(argv: readonly string[]): Promise<readonly string[]> {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  if (!own.some((word) => /^--env-file(=|$)/.test(word))) return argv;
  if (argv[0] === "compile") {
    throw new UsageError(
      "variables are not put into an executable, where anybody can read them: give the file to it as it starts, ./app --env-file=.env",
    );
  }
  if (argv[0] !== "run") return argv;
  const [{ withoutEnvFiles }, { tell }] = await Promise.all([import("./env-file.ts"), import("./output.ts")]);
  return withoutEnvFiles(argv, tell);
}

/** commander has no flags that may have a value but never take the next word for it. */
function plainFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.map((word, i) => {
    if (end >= 0 && i >= end) return word;
    if (word === "--print-config=json") return "--print-config-json";
    if (word.startsWith("--print-config=")) throw new UsageError(noFormat(word, "slipway help run"));
    return word;
  });
}

/** A program's own arguments stand behind `--`, as with a compiled server: what stands before is a mistake, or will be. */
function refuseStray(args: readonly string[], typed: readonly string[]): void {
  const end = typed.indexOf("--");
  const behind = end < 0 ? 0 : typed.length - end - 1;
  if (args.length <= behind) return;
  throw new UsageError(
    `unexpected argument '${args[0]}': the program's own arguments go behind --; see slipway help run`,
  );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** Before commander looks at flags: a mistyped verb must not be answered with "unknown option". */
function checkVerb(program: Command, word: string | undefined): void {
  if (word === undefined || word.startsWith("-")) return;
  if (!program.commands.some((command) => command.name() === word)) throw unknownVerb(program, word);
}

function unknownVerb(program: Command, word: string): UsageError {
  if (existsSync(word) && !statSync(word).isDirectory()) {
    return new UsageError(`'${word}' is a file, not a verb: slipway run ${word}`);
  }
  const verbs = program.commands.map((command) => command.name());
  return new UsageError(`unknown verb '${word}'${didYouMean(word, verbs)}: choose one of ${verbs.join(", ")}`);
}

/** What the bundler says of the user's sources, with code frames; any other error as it is. */
async function sourceFailure(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && error.name === "BundleError")) return error;
  const { BundleError, render } = await import("../bundle/errors.ts");
  return error instanceof BundleError ? new SourceFailure(render(error)) : error;
}

/** commander's message in one line, with where to read on. */
function explain(error: CommanderError, verb: string | undefined): string {
  const help = verb === undefined || verb.startsWith("-") ? "slipway help" : `slipway help ${verb}`;
  const message = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\(Did you mean (.*)\?\)/, " (did you mean $1?)")
    .replace(/\.?\s*$/, "");
  if (error.code === "commander.missingArgument" && verb !== undefined) return needs(verb);
  return `${message}; see ${help}`;
}

function needs(verb: string): string {
  const example = verb === "new" ? "slipway new shop" : `slipway ${verb} server.ts`;
  return `${verb} needs a ${verb === "new" ? "name" : "file"}: for example, ${example}; see slipway help ${verb}`;
}

if (import.meta.main) await main(process.argv.slice(2));

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
import type { BenchOptions } from "./bench.ts";
import type { CheckOptions } from "./check.ts";
import type { CompileOptions } from "./compile.ts";
import { die, Failure, noFormat, SourceFailure, UsageError } from "./errors.ts";
import { guideOf, guides, guidesHelp } from "./guides/list.ts";
import type { NewOptions } from "./new.ts";
import { endWithOutput } from "./output.ts";
import { projectFlags } from "./project-flags.ts";
import type { RunOptions } from "./run.ts";
import { didYouMean } from "./suggestions.ts";
import type { TestOptions } from "./test.ts";

/** Runs the command line in `argv` (without program and script names). */
export async function main(argv: readonly string[]): Promise<void> {
  const handover = process.env.SLIPWAY_WATCH_CHILD;
  if (handover !== undefined) {
    delete process.env.SLIPWAY_WATCH_CHILD;
    return (await import("./watch-child.ts")).runWatchChild(handover);
  }
  const tests = process.env.SLIPWAY_TEST_CHILD;
  if (tests !== undefined) {
    delete process.env.SLIPWAY_TEST_CHILD;
    return (await import("../testing/child.ts")).runTestChild(tests);
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

export function commandLine(argv: readonly string[]): Command {
  const program = new Command("slipway");
  program
    .description("From a TypeScript handler to a production server, as one executable file.")
    .usage("<verb> [options]")
    .helpCommand(false)
    .helpOption("-h, --help", "show help")
    .option("-V, --version", "print the version")
    .addHelpText("after", () => guidesHelp())
    .addHelpText(
      "after",
      examples("slipway new shop", "slipway run shop", "slipway help compile", "slipway help limits"),
    )
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}`.trimEnd() })
    // Errors are thrown to main(), which says them in one line.
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .action(async (options: { version?: boolean }) => {
      if (options.version) return (await import("./version.ts")).printVersion("plain");
      program.outputHelp();
    });

  verb(program, "new", "make a new server from a template")
    .usage("[name] [options]")
    .argument("[name]", "the new folder's name; . for the current, empty folder")
    .option("-t, --template <template>", "one of --list (http), ./folder, or npm:package from the nearest node_modules")
    .option("-l, --list", "show the templates")
    .option("-f, --force", "write into a folder that is not empty, overwriting files of the same name")
    .option("--deploy", "with files for containers, Kubernetes, systemd and CI (all templates but minimal have them)")
    .option("--no-deploy", "without them")
    .option("-y, --yes", "ask nothing; without it, what was not said is asked, at a terminal")
    .addHelpText(
      "after",
      examples("slipway new shop", "slipway new talk --template websocket", "slipway new . --no-deploy"),
    )
    .action(async (name: string | undefined, options: NewOptions) =>
      (await import("./new.ts")).newProject(name, options),
    );

  projectFlags(serverFlags(verb(program, "run", "serve a handler file")))
    .usage("[file] [options] [-- args…]")
    .argument("[file]", "TypeScript, JavaScript or JSX; a folder with a server.ts (default: this one); - for stdin")
    .argument("[args...]", "what the program finds in Deno.args")
    .option("-w, --watch", "restart when a file changes, without refusing a connection")
    .option("--env-file[=<file>]", "take variables from a file (default: .env) that the environment does not have")
    .option("--open", "open the server's page in the browser")
    .option("--dev", "as at a terminal: requests are shown, and errors in the browser")
    .option("--no-dev", "as anywhere else (production, a pipe): neither")
    .option("--inspect", "let Chrome or an editor debug it, on 127.0.0.1:9229 (=host:port: there)")
    .option("--inspect-wait", "and wait for the debugger before it runs (=host:port)")
    .option("--inspect-brk", "and stop before its first line as well (=host:port)")
    .addOption(new Option("--inspect-address <address>").hideHelp())
    .option("--print-config", "show the value of each option and where it came from, and end (=json: as JSON)")
    .addOption(new Option("--print-config-json").hideHelp())
    // What people are used to type behind `deno run`: everything is granted here, and types are not checked.
    .addOption(new Option("-A, --allow-all").hideHelp())
    .addOption(new Option("--no-check").hideHelp())
    .addHelpText("after", `\n${optionsHelp()}`)
    .addHelpText(
      "after",
      examples(
        "slipway run server.ts",
        "slipway run server.ts --watch --open",
        "slipway run ./shop --port 8080",
        "slipway run server.ts --read-timeout 2m --max-body-bytes none --print-config",
        "slipway run tool.ts -- --its-own flag",
      ),
    )
    .action(async (file: string | undefined, args: string[], options: RunOptions) => {
      const words = file === undefined ? args : [file, ...args];
      const behind = wordsBehind(argv);
      // All that there is stands behind --: the folder's program has it.
      if (behind > 0 && words.length === behind) return (await import("./run.ts")).run(undefined, options, words);
      refuseStray(args, behind);
      await (await import("./run.ts")).run(file, options, args);
    });

  projectFlags(verb(program, "compile", "make one executable of a handler file"))
    .usage("[file] [options]")
    .argument("[file]", "TypeScript, JavaScript or JSX; a folder with a server.ts (default: this one)")
    .option("-o, --output <path>", "the executable to write (default: the file's name without its ending)")
    .option("--include <path>", "embed a file or a folder; may be given several times", collect)
    .option("--locales <list>", "languages to bring data of, as en,de; without it all: 27 MB more")
    .option("--target <targets>", "systems to compile for, as linux-arm64,win-x64 (default: this one); all, or list")
    .option("--json", "print what was written as JSON")
    .addHelpText(
      "after",
      examples(
        "slipway compile server.ts -o shop",
        "slipway compile server.ts -o shop --locales en",
        "slipway compile server.ts -o shop --target linux-x64,linux-arm64",
        "./shop --port 8080",
      ),
    )
    .action(async (file: string | undefined, options: Partial<CompileOptions>) => {
      if (options.target === "list") return (await import("./target-list.ts")).listTargets(options.json);
      const { outputName, programIn } = await import("./entry.ts");
      const entry = programIn(file, "compile");
      const { compile } = await import("./compile.ts");
      await compile(entry, { ...options, output: options.output ?? outputName(entry) });
    });

  projectFlags(maybe(verb(program, "test", "run the tests of files and folders"), maybeValued))
    .usage("[files or folders…] [options] [-- args…]")
    .argument("[files...]", "files, or folders to look in for *_test.ts, *.test.ts and test.ts (default: this one)")
    .option("--filter <text>", "only tests whose name holds the text, or matches /a pattern/")
    .option("-w, --watch", "run again on save what the save changes, and what failed")
    .option("--fail-fast", "stop after the first failure, or after so many (=3)")
    .option("--shuffle", "run tests in another order each time, or in that of a seed (=7)")
    .option("--parallel", "several files at a time: as many as there are cores, or so many (=4)")
    .option("--sanitize-ops", "fail tests that leave timers or calls behind")
    .option("--sanitize-resources", "fail tests that leave files, connections or listeners open")
    .option("--retry <count>", "call failed tests again, up to so many times")
    .option("--repeats <count>", "call each test so many more times")
    .option("--coverage", "what ran of the sources, as a table and as coverage/lcov.info (=folder: there)")
    .option("--coverage-threshold <percent>", "fail when fewer lines ran")
    .option("--reporter <name>", "how results are shown: pretty, dot, tap or junit", "pretty")
    .option("--junit-path <path>", "write JUnit's XML to a file too (- for standard output)")
    .option("--update-snapshots", "write the snapshots of t.assertSnapshot() that differ")
    .option("--ignore <path>", "leave out a file or a folder; may be given several times", collect)
    .option("--env-file[=<file>]", "take variables from a file (default: .env) that the environment does not have")
    .option("--permit-no-files", "it is no failure that there are no tests")
    .option("--no-run", "bundle the files, and run nothing")
    .addOption(new Option("--doc").hideHelp())
    // What people are used to type behind `deno test`: Slipway has no permissions, checks no types, and traces leaks.
    .addOption(new Option("-A, --allow-all").hideHelp())
    .addOption(new Option("--no-check").hideHelp())
    .addOption(new Option("--trace-leaks").hideHelp())
    .addHelpText(
      "after",
      `\nExit code: 0 all passed, 1 something failed, 2 the command line was wrong.\n${examples(
        "slipway test",
        "slipway test server_test.ts --filter /^answers/",
        "slipway test --parallel --fail-fast",
      )}`,
    )
    .action(async (files: string[], options: TestOptions) => {
      const [named, args] = splitArgs(files, argv);
      await (await import("./test.ts")).test(named, options, args);
    });

  projectFlags(verb(program, "bench", "measure Deno.bench in files and folders"))
    .usage("[files or folders…] [options] [-- args…]")
    .argument("[files...]", "files, or folders to look in for *_bench.ts, *.bench.ts and bench.ts (default: this one)")
    .option("--filter <text>", "only benchmarks whose name holds the text, or matches /a pattern/")
    .option("--json", "print the results as JSON")
    .option("--ignore <path>", "leave out a file or a folder; may be given several times", collect)
    .option("--env-file[=<file>]", "take variables from a file (default: .env) that the environment does not have")
    .option("--permit-no-files", "it is no failure that there are no benchmarks")
    .option("--no-run", "bundle the files, and run nothing")
    .addHelpText(
      "after",
      `\nExit code: 0 all ran, 1 something failed, 2 the command line was wrong.\n${examples(
        "slipway bench",
        "slipway bench parse_bench.ts --filter url --json",
      )}`,
    )
    .action(async (files: string[], options: BenchOptions) => {
      const [named, args] = splitArgs(files, argv);
      await (await import("./bench.ts")).bench(named, options, args);
    });

  projectFlags(verb(program, "check", "look for what would hurt in production"))
    .usage("[file…|url] [options]")
    .argument(
      "[target...]",
      "files or folders to read (default: this one), or the address of a running server on this machine",
    )
    .option("--json", "print the findings as JSON")
    .option("--sarif", "of files: print the findings as SARIF 2.1.0, for code hosts")
    .option("--quick", "of a server: only the attacks that take seconds")
    .option("-v, --verbose", "of a server: every attack, and what others do with it, not only what needs a look")
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

  verb(program, "doctor", "look at this machine: what servers will find here, and what to mend")
    .usage("[--json]")
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      `\nExit code: 0 servers will run here, 1 something keeps them from it.\n${examples("slipway doctor", "slipway doctor --json")}`,
    )
    .action(async (options: { json?: boolean }) => (await import("./doctor/mod.ts")).doctor(options.json === true));

  verb(program, "completions", "print completions for a shell")
    .usage("<bash|zsh|fish|powershell>")
    .argument("<shell>", "bash, zsh, fish or powershell")
    .addHelpText(
      "after",
      `
Where they go:
  bash        slipway completions bash > ~/.local/share/bash-completion/completions/slipway
  zsh         slipway completions zsh > ~/.zfunc/_slipway, with fpath+=(~/.zfunc) before compinit in ~/.zshrc
  fish        slipway completions fish > ~/.config/fish/completions/slipway.fish
  powershell  slipway completions powershell >> $PROFILE
${examples("slipway completions bash", 'eval "$(slipway completions bash)"')}`,
    )
    .action(async (shell: string) => (await import("./completions/mod.ts")).printCompletions(program, shell));

  verb(program, "upgrade", "say how to get a newer one")
    // For "" commander shows "[options]", of which there are none.
    .usage(" ")
    .configureHelp({ commandUsage: () => "slipway upgrade" })
    .addHelpText("after", examples("slipway upgrade"))
    .action(() => {
      throw new Failure(
        "it does not upgrade itself and asks no network: npm install slipway@latest, or put a newer executable in this one's place",
      );
    });

  verb(program, "version", "print the version")
    .usage("[--verbose] [--json]")
    .option("-v, --verbose", "and that of every part, and the poller that was chosen")
    .option("--json", "print all of it as JSON")
    .addHelpText("after", examples("slipway version", "slipway version --verbose", "slipway version --json"))
    .action(async (options: { verbose?: boolean; json?: boolean }) =>
      (await import("./version.ts")).printVersion(options.json ? "json" : options.verbose ? "verbose" : "plain"),
    );

  verb(program, "help", "show help for a verb, or a guide")
    .usage("[verb|guide]")
    .argument("[name]")
    .option("--guide", "of a verb: its guide, not its options")
    .option("--man", "print the manual page, as in slipway help --man | man -l -")
    .addHelpText(
      "after",
      examples("slipway help", "slipway help run", "slipway help limits", "slipway help run --guide"),
    )
    .action((name: string | undefined, options: HelpOptions) => help(program, name, options));

  return program;
}

interface HelpOptions {
  readonly guide?: boolean;
  readonly man?: boolean;
}

async function help(program: Command, name: string | undefined, { guide, man }: HelpOptions): Promise<void> {
  if (man) return void process.stdout.write((await import("./manual.ts")).manualPage(program));
  if (name === undefined) return program.outputHelp();
  const found = program.commands.find((command) => command.name() === name);
  const text = guideOf(name);
  if (text !== undefined && (found === undefined || guide)) return (await import("./guides/mod.ts")).showGuide(text);
  if (guide)
    throw new UsageError(
      `there is no guide '${name}'${didYouMean(
        name,
        guides().map(({ name }) => name),
      )}; see slipway help`,
    );
  if (found !== undefined) return found.outputHelp();
  const known = [...program.commands.map((command) => command.name()), ...guides().map(({ name }) => name)];
  throw new UsageError(`no verb and no guide is called '${name}'${didYouMean(name, known)}; slipway help lists them`);
}

function verb(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).helpOption("-h, --help", "show help");
}

/** What plainFlags makes of flags that have a value. */
function maybe(command: Command, names: readonly string[]): Command {
  for (const name of names) command.addOption(new Option(`--${name}-value <value>`).hideHelp());
  return command;
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
  if (!["run", "test", "bench"].includes(argv[0])) return argv;
  const [{ withoutEnvFiles }, { tell }] = await Promise.all([import("./env-file.ts"), import("./output.ts")]);
  return withoutEnvFiles(argv, tell);
}

/** Flags of `test` that may have a value behind a `=`. */
const maybeValued = ["fail-fast", "shuffle", "parallel", "coverage"];

/** commander has no flags that may have a value but never take the next word for it: `--inspect server.ts`. */
function plainFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.flatMap((word, i) => {
    if (end >= 0 && i >= end) return word;
    const [, name, value] = (argv[0] === "test" && /^--([a-z-]+)=(.*)$/s.exec(word)) || [];
    if (maybeValued.includes(name ?? "")) return `--${name}-value=${value}`;
    const inspect = /^(--inspect(?:-brk|-wait)?)=(.*)$/s.exec(word);
    if (inspect !== null) return [inspect[1], `--inspect-address=${inspect[2]}`];
    if (word === "--print-config=json") return "--print-config-json";
    if (word.startsWith("--print-config=")) throw new UsageError(noFormat(word, "slipway help run"));
    return word;
  });
}

/** How many words stand behind `--`. */
function wordsBehind(typed: readonly string[]): number {
  const end = typed.indexOf("--");
  return end < 0 ? 0 : typed.length - end - 1;
}

/** A program's own arguments stand behind `--`, as with a compiled server: what stands before is a mistake, or will be. */
function refuseStray(args: readonly string[], behind: number): void {
  if (args.length <= behind) return;
  throw new UsageError(
    `unexpected argument '${args[0]}': the program's own arguments go behind --; see slipway help run`,
  );
}

/** What stands behind `--` is the program's. */
function splitArgs(words: readonly string[], typed: readonly string[]): [own: string[], rest: string[]] {
  const end = typed.indexOf("--");
  const rest = end < 0 ? [] : typed.slice(end + 1);
  return [words.slice(0, words.length - rest.length), rest];
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

/** What other tools call the same. */
const OTHERS_WORDS: ReadonlyMap<string, string> = new Map([
  ["create", "new"],
  ["init", "new"],
  ["dev", "run --watch"],
  ["exec", "run"],
  ["serve", "run"],
  ["start", "run"],
  ["watch", "run --watch"],
  ["build", "compile"],
  ["bundle", "compile"],
  ["audit", "check"],
  ["lint", "check"],
  ["update", "upgrade"],
]);

function unknownVerb(program: Command, word: string): UsageError {
  if (existsSync(word)) {
    const kind = statSync(word).isDirectory() ? "folder" : "file";
    return new UsageError(`'${word}' is a ${kind}, not a verb: slipway run ${word}`);
  }
  if (guideOf(word) !== undefined) return new UsageError(`'${word}' is a guide, not a verb: slipway help ${word}`);
  const verbs = program.commands.map((command) => command.name());
  const meant = OTHERS_WORDS.get(word);
  const hint = meant === undefined ? didYouMean(word, verbs) : ` (did you mean ${meant}?)`;
  return new UsageError(`unknown verb '${word}'${hint}: choose one of ${verbs.join(", ")}`);
}

/** What the bundler says of the user's sources, with code frames; any other error as it is. */
async function sourceFailure(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && error.name === "BundleError")) return refused(error) ?? error;
  const { BundleError, render } = await import("../bundle/errors.ts");
  return error instanceof BundleError ? new SourceFailure(render(error)) : error;
}

/** A file that this user may not read or write, or for which there is no room, is no fault of ours. */
function refused(error: unknown): Failure | undefined {
  const { code = "", path, syscall, message } = error as Partial<NodeJS.ErrnoException>;
  if (path === undefined || !/^(?:EACCES|EPERM|EROFS|ENOSPC|EDQUOT)$/.test(code)) return undefined;
  const why = message?.replace(/^\w+: |, \w+ '.*$/gs, "");
  return new Failure(`${path}: ${why} (${code}, ${syscall}): ls -ld and df show who may, and what room there is`);
}

/** commander's message in one line, with where to read on. */
function explain(error: CommanderError, verb: string | undefined): string {
  const help = verb === undefined || verb.startsWith("-") ? "slipway help" : `slipway help ${verb}`;
  const message = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\(Did you mean (.*)\?\)/, " (did you mean $1?)")
    .replace(/\.?\s*$/, "");
  if (error.code === "commander.missingArgument" && verb !== undefined) return needs(verb);
  if (/'--?(?:allow|deny)-|'-[NREWSA]'/.test(message))
    return `${message}: there is no sandbox, a program may what its user may; leave it out`;
  if (verb === "-v") return `${message} (did you mean -V?); see ${help}`;
  return `${message}; see ${help}`;
}

function needs(verb: string): string {
  if (verb === "completions")
    return "completions needs the name of a shell, bash, zsh, fish or powershell: for example, slipway completions bash";
  const example = verb === "new" ? "slipway new shop" : `slipway ${verb} server.ts`;
  return `${verb} needs a ${verb === "new" ? "name" : "file"}: for example, ${example}; see slipway help ${verb}`;
}

if (import.meta.main) await main(process.argv.slice(2));

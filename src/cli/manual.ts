/**
 * The manual page, slipway(1), in the language of man(7): made of the same verbs and flags as help. The npm package
 * brings it, and `slipway help --man` prints it.
 */
import type { Command } from "commander";
import { flagOf, optionTable, variableOf } from "../options/table.ts";
import { type Flag, type Verb, verbsOf } from "./command-spec.ts";
import { guides } from "./guides/list.ts";
import { wrap } from "./guides/wrap.ts";
import { version } from "./version.ts";

/** The last time that what it says of itself changed. */
const DATE = "2026-11-28";
/** Sources are read by people as well. */
const WIDEST = 78;

export function manualPage(program: Command): string {
  return page(program)
    .split("\n")
    .flatMap((line) => (/^[.']/.test(line) ? [line] : wrap(line, WIDEST).map((one) => one.replace(/^[.']/, "\\&$&"))))
    .join("\n");
}

function page(program: Command): string {
  const verbs = verbsOf(program);
  return [
    `.TH SLIPWAY 1 "${DATE}" ${quoted(`slipway ${version}`)} ${quoted("Slipway")}`,
    ".SH NAME",
    `slipway \\- ${lowered(program.description())}`,
    ".SH SYNOPSIS",
    ...verbs.map(({ name, usage }, i) => `${i > 0 ? ".br\n" : ""}.B slipway ${name}\n${text(usage)}`.trimEnd()),
    ".SH DESCRIPTION",
    "A file that exports a handler, or a program that calls",
    ".BR Deno.serve ,",
    "is served with limits on everything a client can do, and compiled to one executable file that needs nothing else.",
    ".SH VERBS",
    ...verbs.map(ofVerb),
    ".SH OPTIONS OF SERVERS",
    "Of",
    ".B slipway run",
    "and of every compiled server. Each is also a variable, and a field of the program's default export; a flag comes",
    "first, then the variable, then the field.",
    ...optionTable.map((option) => {
      const flag = verbs.find(({ name }) => name === "run")?.flags.find(({ long }) => long === `--${flagOf(option)}`);
      const says = flag ?? { long: `--${flagOf(option)}`, says: option.says, repeats: false };
      return `${item(says)}\n.RB ( ${variableOf(option)} )`;
    }),
    ".SH EXIT STATUS",
    ...[
      ["0", "done; of a server: it was told to end, and ended with nothing cut"],
      ["1", "it failed, and the line on standard error says at what"],
      ["2", "the command line was wrong"],
    ].map(([code, says]) => `.TP\n.B ${code}\n${text(says)}`),
    ".SH ENVIRONMENT",
    ...[
      ["SLIPWAY_POLLER", "epoll or uring: insists on one"],
      ["SLIPWAY_STACK", "full: errors' stacks show Slipway's own frames, too"],
      ["NO_COLOR, FORCE_COLOR", "no colours at a terminal, colours also in a pipe"],
      ["PAGER", "what shows long guides at a terminal; less \\-R by default"],
      ["NODE_ENV", "production: slipway run is not for development, also at a terminal"],
    ].map(([name, says]) => `.TP\n.B ${name}\n${says}`),
    ".SH SIGNALS",
    ".TP\n.B SIGTERM, SIGINT\ndrain and end; a second one ends at once",
    ".TP\n.B SIGHUP\nwith TLS: read the certificate again",
    ".TP\n.B SIGUSR1\nprint the table of tasks",
    ".TP\n.B SIGUSR2\nrestart without refusing a connection",
    ".SH GUIDES",
    ".B slipway help",
    ".I guide",
    "shows one:",
    ...guides().map(({ name, says }) => `.TP\n.B ${text(name)}\n${text(says)}`),
    ".SH SEE ALSO",
    ".BR systemd.socket (5),",
    ".BR io_uring (7),",
    ".BR epoll (7)",
    "",
  ].join("\n");
}

function ofVerb({ name, usage, says, flags }: Verb): string {
  const listed = new Set(optionTable.map((option) => `--${flagOf(option)}`));
  const own = flags.filter(({ long }) => !listed.has(long) && long !== "--help");
  const head = `.SS ${quoted(`slipway ${name} ${usage}`.trim())}\n${sentence(says)}`;
  return [head, ...own.map(item)].join("\n");
}

function item({ long, short, says, shown }: Flag): string {
  const value = shown === undefined ? "" : ` \\fI${text(shown)}\\fR`;
  const flag = `${short === undefined ? "" : `\\fB${text(short)}\\fR, `}\\fB${text(long)}\\fR${value}`;
  return `.TP\n${flag}\n${text(says)}`;
}

/** A dash of an option is a minus to troff, and a line must not begin like a request. */
function text(plain: string): string {
  return plain.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...").replace(/^[.']/, "\\&$&");
}

function sentence(says: string): string {
  return text(`${says[0].toUpperCase()}${says.slice(1)}.`);
}

function lowered(says: string): string {
  return text(`${says[0].toLowerCase()}${says.slice(1)}`.replace(/\.$/, ""));
}

function quoted(plain: string): string {
  return `"${text(plain).replaceAll('"', '""')}"`;
}
